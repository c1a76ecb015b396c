"""What was lost once is sent again at once, and what was lost twice one at a time: so the one that kills is found."""

from __future__ import annotations

import random
from collections.abc import Container, Iterable

from hypothesis import given
from hypothesis import strategies as st

from penguiray.ingress.replays import ALONE, GROUP, Replays


class Deaths:
    """Replays after each death of a replica, which a search covers at once."""

    def __init__(self) -> None:
        self.replays = Replays()
        self.count = 0

    def lose(self, roots: Iterable[int]) -> tuple[list[int], list[int]]:
        self.count += 1
        return self.replays.lose(roots, covered=self.count, losses=self.count)

    def next(self, live: Container[int]) -> list[int]:
        return self.replays.next(live, losses=self.count)


def test_what_was_lost_once_is_sent_again_at_once() -> None:
    replays = Deaths()
    assert replays.lose([1, 2, 3]) == ([1, 2, 3], [])
    assert replays.next({1, 2, 3}) == []
    assert not replays.replays.waits


def test_suspects_are_sent_again_in_groups_and_those_of_a_group_that_was_lost_alone() -> None:
    roots = list(range(GROUP + 3))
    replays, live = Deaths(), set(roots)
    replays.lose(roots)
    assert replays.lose([*roots, 99]) == ([99], [])
    group = replays.next(live)
    assert (group, replays.next(live)) == (roots[:GROUP], [])
    live -= set(group[2:])
    assert replays.lose([*group[:2], *roots[GROUP:]]) == ([], [])
    assert replays.next(live) == roots[GROUP:]
    live -= set(roots[GROUP:])
    for root in group[:2]:
        assert replays.next(live) == [root]
        live.remove(root)
    assert replays.next(live) == []
    assert not replays.replays.waits


def test_who_was_alone_at_three_deaths_is_given_up_on() -> None:
    replays, live = Deaths(), {1, 2}
    replays.lose([1, 2])
    replays.lose([1, 2])
    assert replays.next(live) == [1, 2]
    assert replays.lose([1, 2]) == ([], [])
    assert replays.next(live) == [1]
    assert replays.lose([1, 2]) == ([], [])
    assert replays.next(live) == [2]
    live.remove(2)
    for _ in range(ALONE - 2):
        assert replays.next(live) == [1]
        assert replays.lose([1]) == ([], [])
    assert replays.next(live) == [1]
    assert replays.lose([1]) == ([], [1])


def test_inputs_that_are_done_are_forgotten_and_begin_anew() -> None:
    replays = Deaths()
    replays.lose([1])
    replays.replays.settle(set())
    assert replays.lose([1]) == ([1], [])


def test_what_is_found_without_another_death_says_nothing_about_an_input() -> None:
    replays = Replays()
    for _ in range(20):
        assert replays.lose([1], covered=1, losses=2) == ([1], [])
    assert replays.lose([1], covered=2, losses=2) == ([1], []), "it was sent after both"
    assert replays.lose([1], covered=3, losses=3) == ([], [])
    assert replays.next({1}, losses=4) == [1]
    for _ in range(20):
        assert replays.lose([1], covered=4, losses=4) == ([1], [])


@given(st.integers(0, 10_000))
def test_the_one_that_kills_is_found_and_no_other_is_given_up_on(seed: int) -> None:
    rng = random.Random(seed)
    live, replays, dead = set(range(rng.randrange(1, 60))), Deaths(), list[int]()
    killer, under_way, deaths = rng.choice(sorted(live)), set(live), 0
    while live:
        if killer in under_way:
            deaths += 1
            again, given_up = replays.lose(sorted(under_way))
            dead += given_up
            live -= set(given_up)
            under_way = set(again)
        elif under_way:
            done = rng.choice(sorted(under_way))
            under_way.remove(done)
            live.remove(done)
        under_way |= set(replays.next(live))
    assert dead == [killer]
    assert deaths <= 3 + ALONE
