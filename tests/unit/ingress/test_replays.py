"""What was lost is sent again; what was lost twice is a suspect; and only who kills is given up on."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from penguiray.ingress.replays import Replays


def test_what_is_lost_is_sent_again_and_is_a_suspect_from_the_second_time_on() -> None:
    replays = Replays()
    assert replays.lose([1, 2, 3], covered=1, losses=1) == ([1, 2, 3], [])
    assert replays.suspects == set()
    assert replays.lose([1, 3, 4], covered=2, losses=2) == ([1, 3, 4], [])
    assert replays.suspects == {1, 3}


def test_what_is_found_without_another_death_says_nothing_about_an_input() -> None:
    replays = Replays()
    for _ in range(20):
        assert replays.lose([1], covered=1, losses=2) == ([1], [])
    assert replays.lose([1], covered=2, losses=2) == ([1], []), "it was sent after both"
    assert replays.suspects == set()


def test_where_not_all_have_answered_only_what_was_not_sent_again_yet_is_sent() -> None:
    replays = Replays()
    assert replays.lose([1], covered=None, losses=1) == ([1], [])
    assert replays.lose([1, 2], covered=None, losses=9) == ([2], [])
    assert replays.suspects == set()


def test_inputs_that_are_done_are_forgotten_and_begin_anew() -> None:
    replays = Replays()
    for losses in range(1, 4):
        replays.lose([1], covered=losses, losses=losses)
        replays.blame(1)
    replays.settle(set())
    assert replays.suspects == set()
    assert replays.lose([1], covered=9, losses=9) == ([1], [])


@given(st.integers(0, 10_000))
def test_those_that_kill_are_found_and_no_others_however_many_die_with_them(seed: int) -> None:
    rng = random.Random(seed)
    live = set(range(rng.randrange(1, 60)))
    killers = set(rng.sample(sorted(live), min(len(live), rng.randrange(1, 4))))
    replays, dead, under_way, losses = Replays(), set[int](), set(live), 0
    while under_way:
        at = rng.choice(sorted(under_way))
        if at in killers or rng.random() < 0.1:  # processes die of other things, too
            losses += 1
            if at in replays.suspects and (at in killers or rng.random() < 0.2):
                replays.blame(at)
            again, given_up = replays.lose(sorted(under_way), covered=losses, losses=losses)
            dead |= set(given_up)
            live -= dead
            under_way = set(again)
        else:
            under_way.remove(at)
            live.discard(at)
            replays.settle(live)
    assert killers <= dead
    assert losses < 10_000


def test_a_suspect_is_given_up_on_when_three_replicas_died_while_they_were_at_it() -> None:
    replays = Replays()
    for losses in range(1, 4):
        assert replays.lose([1, 2], covered=losses, losses=losses) == ([1, 2], [])
        replays.blame(1)
    assert replays.lose([1, 2], covered=4, losses=4) == ([2], [1])


def test_an_input_that_goes_on_under_another_root_takes_its_history_with_it_and_leaves_the_others_theirs() -> None:
    replays = Replays()
    for losses in (1, 2, 3):
        replays.lose([1, 2], covered=losses, losses=losses)
        replays.blame(1)
        replays.blame(2)
    replays.rename(1, 11)
    assert replays.suspects == {11, 2}
    assert replays.lose([11, 2], covered=None, losses=4) == ([], []), "both were sent again before"
    assert replays.lose([11, 2], covered=4, losses=4) == ([], [11, 2])
    assert replays.lose([1], covered=4, losses=4) == ([1], [])
    assert replays.suspects == {11, 2}


def test_an_input_of_which_nothing_is_known_may_go_on_under_another_root() -> None:
    replays = Replays()
    replays.rename(1, 11)
    assert replays.suspects == set()
    assert replays.lose([11], covered=None, losses=1) == ([11], [])


def test_only_inputs_that_are_done_are_forgotten() -> None:
    replays = Replays()
    for losses in (1, 2, 3):
        replays.lose([1, 2], covered=losses, losses=losses)
        replays.blame(1)
        replays.blame(2)
    replays.settle({2})
    assert replays.suspects == {2}
    assert replays.lose([1, 2], covered=None, losses=4) == ([1], [])
    assert replays.lose([1, 2], covered=4, losses=4) == ([1], [2])
