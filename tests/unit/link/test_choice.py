"""Two draws and one of this host: the cheapest of those that may be taken."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from penguiray.link.choice import better_of_two


def chosen(
    costs: list[float], rng: random.Random, *, near: tuple[int, ...] = (), taken: frozenset[int] = frozenset()
) -> int | None:
    return better_of_two(range(len(costs)), near, rng, may=lambda one: one not in taken, cost=lambda one: costs[one])


@given(
    seed=st.integers(0, 2**32),
    costs=st.lists(st.floats(0, 1), min_size=2, max_size=6),
    data=st.data(),
)
def test_it_is_one_that_may_be_taken_and_there_is_none_only_if_there_is_none(
    seed: int, costs: list[float], data: st.DataObject
) -> None:
    places = st.sets(st.integers(0, len(costs) - 1))
    taken, near = frozenset(data.draw(places)), tuple(data.draw(places))
    one = chosen(costs, random.Random(seed), near=near, taken=taken)
    if len(taken) == len(costs):
        assert one is None
    else:
        assert one is not None
        assert one not in taken
        assert len(costs) > 2 or costs[one] == min(cost for place, cost in enumerate(costs) if place not in taken)


def test_the_most_expensive_one_is_never_chosen_and_equals_are_chosen_alike() -> None:
    rng = random.Random(1)
    counts = Counter(chosen([1.0, 1.0, 2.0, 1.0], rng) for _ in range(6_000))
    assert counts[2] == 0
    assert all(1_700 < counts[place] < 2_300 for place in (0, 1, 3))


def test_one_of_this_host_is_always_among_those_that_are_compared() -> None:
    rng, costs = random.Random(1), [1.0] * 100
    costs[70] = costs[71] = 0.5
    counts = Counter(chosen(costs, rng, near=(70, 71)) for _ in range(1_000))
    assert counts[70] + counts[71] == 1_000
    assert min(counts[70], counts[71]) > 400
    costs[70] = costs[71] = 2.0
    assert {70, 71}.isdisjoint({chosen(costs, rng, near=(70, 71)) for _ in range(1_000)})


def test_few_are_looked_at_however_many_there_are() -> None:
    looked = list[int]()

    def cost(one: int) -> float:
        looked.append(one)
        return 0.0

    rng = random.Random(1)
    for _ in range(100):
        better_of_two(range(10_000), range(10), rng, may=lambda _: True, cost=cost)
    assert len(looked) <= 300
