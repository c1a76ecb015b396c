"""When a group at a join ends: complete, too old, or with no more to come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penguiray.graph.spec import JoinRule
from penguiray.link.ids import root_of
from penguiray.runtime.bound import Item
from penguiray.runtime.groups import Groups


def item(call: int, position: int, number: int) -> Item:
    return Item(root_of(call, position), number, f"{call}.{position}.{number}")


def rule(count: int | None, *, is_by_key: bool = False, timeout_s: float | None = None) -> JoinRule:
    return JoinRule(count, is_by_key, timeout_s, "fail")


def test_messages_of_one_input_are_complete_at_their_count_and_begin_anew() -> None:
    groups = Groups(rule(2))
    assert groups.add(item(1, 0, 1), None, 0.0) is None
    assert groups.add(item(1, 1, 2), None, 0.0) is None
    whole = groups.add(item(1, 0, 3), None, 0.0)
    assert whole is not None
    assert [one.message_id for one in whole.items] == [1, 3]
    assert groups.add(item(1, 0, 4), None, 0.0) is None
    assert len(groups) == 2


def test_keys_meet_within_a_call_and_not_beyond_it() -> None:
    groups = Groups(rule(2, is_by_key=True))
    assert groups.add(item(1, 0, 1), "k", 0.0) is None
    assert groups.add(item(2, 0, 2), "k", 0.0) is None
    assert groups.add(item(1, 7, 3), "k", 0.0) is not None
    assert [group.key for group in groups.close(2, [], {2})] == [(2, "k")]
    assert len(groups) == 0


def test_a_group_expires_once_and_what_comes_later_is_late() -> None:
    groups = Groups(rule(2, timeout_s=5.0))
    groups.add(item(1, 0, 1), None, 10.0)
    groups.add(item(1, 1, 2), None, 12.0)
    assert groups.wait_s(11.0) == 4.0
    assert [group.key for group in groups.expire(15.0)] == [(root_of(1, 0), None)]
    assert groups.is_late(item(1, 0, 3), None)
    assert not groups.is_late(item(1, 1, 4), None)
    assert groups.wait_s(15.0) == 2.0


def test_a_group_that_has_begun_since_the_word_was_said_stays_open() -> None:
    by_input, by_key = Groups(rule(3)), Groups(rule(3, is_by_key=True))
    for groups, key in ((by_input, None), (by_key, "k")):
        groups.add(item(1, 0, 7), key, 0.0)
        assert groups.close(1, [root_of(1, 0)], {5, 6}) == []
        (group,) = groups.close(1, [root_of(1, 0)], {6, 7})
        assert [one.message_id for one in group.items] == [7]


def test_given_up_inputs_leave_their_groups() -> None:
    groups = Groups(rule(3, is_by_key=True))
    for number, position in enumerate((0, 1)):
        groups.add(item(1, position, number), "k", 0.0)
    groups.drop({root_of(1, 0)})
    (group,) = groups.close(1, [], {1})
    assert [one.root for one in group.items] == [root_of(1, 1)]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=60), st.integers(1, 4))
def test_every_message_leaves_in_exactly_one_group(arrivals: list[tuple[int, int]], count: int) -> None:
    groups, left = Groups(rule(count, is_by_key=True)), list[int]()
    for number, (position, key) in enumerate(arrivals):
        group = groups.add(item(1, position, number), key, 0.0)
        if group is not None:
            assert len(group.items) == count
            left += [one.message_id for one in group.items]
    left += [one.message_id for group in groups.close(1, [], range(len(arrivals))) for one in group.items]
    assert sorted(left) == list(range(len(arrivals)))
