"""What comes by two ways is given in its order, and once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penguiray.link.order import InOrder, Place

PLACES = st.builds(Place, st.integers(0, 1), st.integers(0, 1), st.integers(0, 5))


@given(st.lists(st.tuples(PLACES, st.booleans()), max_size=80))
def test_each_lane_gives_its_items_once_and_in_order_as_far_as_none_is_missing(
    arrivals: list[tuple[Place, bool]],
) -> None:
    order: InOrder[Place] = InOrder()
    given_so_far: dict[tuple[int, int], list[int]] = {}
    came: set[Place] = set()
    for place, may_pass in arrivals:
        turn = len(given_so_far.get(place[:2], []))
        assert order.has_come(place) == (place in came)
        assert order.is_over(place) == (place.number < turn)
        if place in came:
            continue
        assert order.is_due(place) == (place.number == turn)
        others = [other for other in came if other[:2] == place[:2]]
        came.add(place)
        if may_pass:
            goes_on = bool(others) and place.number == turn and all(other.number < turn for other in others)
            assert order.take_turn(place) == goes_on
            if goes_on:
                assert order.is_over(place)
                assert not order.is_over(place._replace(number=place.number + 1))
                given_so_far.setdefault(place[:2], []).append(place.number)
                continue
        for due in order.arrive(place, place):
            given_so_far.setdefault(due[:2], []).append(due.number)
    for sender in (0, 1):
        for lane in (0, 1):
            numbers = {place.number for place in came if place[:2] == (sender, lane)}
            whole = next(number for number in range(7) if number not in numbers)
            assert given_so_far.get((sender, lane), []) == list(range(whole))


def test_what_came_too_early_is_given_with_what_it_waited_for_and_the_next_is_due_after_it() -> None:
    order: InOrder[str] = InOrder()
    assert order.arrive(Place(0, 0, 2), "third") == []
    assert order.arrive(Place(0, 0, 1), "second") == []
    assert order.arrive(Place(0, 0, 0), "first") == ["first", "second", "third"]
    assert [order.has_come(Place(0, 0, number)) for number in range(4)] == [True, True, True, False]
    assert order.arrive(Place(0, 0, 4), "fifth") == []
    assert order.is_due(Place(0, 0, 3))
    assert order.arrive(Place(0, 0, 3), "fourth") == ["fourth", "fifth"]


def test_a_turn_is_taken_only_where_something_has_come_and_nothing_is_kept() -> None:
    order: InOrder[str] = InOrder()
    assert not order.take_turn(Place(0, 0, 0))
    assert order.arrive(Place(0, 0, 0), "first") == ["first"]
    assert order.take_turn(Place(0, 0, 1))
    assert [order.is_over(Place(0, 0, number)) for number in range(4)] == [True, True, False, False]
    assert not order.is_over(Place(1, 0, 0))
    assert not order.take_turn(Place(0, 0, 1))
    assert not order.take_turn(Place(0, 0, 3))
    assert order.arrive(Place(0, 0, 3), "fourth") == []
    assert not order.take_turn(Place(0, 0, 2))
    assert order.arrive(Place(0, 0, 2), "third") == ["third", "fourth"]
    assert order.take_turn(Place(0, 0, 4))
