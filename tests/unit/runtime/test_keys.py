"""One message of a key at a time, in order, whatever ends and is given up meanwhile."""

from __future__ import annotations

import enum
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penguiray.graph.values import key_hash
from penguiray.link.frame import Frame, Kind, LinkId
from penguiray.link.message import Messages
from penguiray.runtime.inbox import Inbox
from penguiray.runtime.keys import KeyGate


class Colour(enum.StrEnum):
    RED = "red"


def keyed(sequence: int, *ids: int, keys: int) -> Frame:
    """Messages with these ids, each its own root, the key of each its id modulo `keys`; those modulo 0 have none."""
    known = {number: number % keys for number in ids if number % keys}
    return Frame(LinkId(0, 0), 1, sequence, Kind.DATA, Messages(list(ids), list(ids), list(ids), keys=known))


def taken_ids(inbox: Inbox) -> list[int]:
    got = inbox.take_nowait(100)
    return got.ids if isinstance(got, Messages) else []


def test_a_message_waits_until_the_one_before_it_of_its_key_has_ended_and_others_do_not() -> None:
    inbox, taken = Inbox(one_of_a_key=True), list[int]()
    inbox.put(keyed(0, 1, 4, 7, 2, 3, keys=3), lambda: taken.append(0))
    assert (taken_ids(inbox), taken) == ([1, 2, 3], [0])
    assert taken_ids(inbox) == []
    assert not inbox.is_empty
    inbox.end(2)
    inbox.end(3)
    assert taken_ids(inbox) == []
    inbox.end(1)
    assert taken_ids(inbox) == [4]
    inbox.end(4)
    assert taken_ids(inbox) == [7]
    inbox.end(7)
    assert inbox.is_empty


def test_where_calls_do_not_overlap_nothing_waits() -> None:
    inbox = Inbox()
    inbox.put(keyed(0, 1, 4, 7, keys=3), lambda: None)
    assert taken_ids(inbox) == [1, 4, 7]


def test_an_input_that_was_given_up_frees_its_key_and_what_waits_of_it_is_gone() -> None:
    inbox = Inbox(one_of_a_key=True)
    inbox.put(keyed(0, 1, 4, 7, keys=3), lambda: None)
    assert taken_ids(inbox) == [1]
    inbox.drop({1, 4})
    assert taken_ids(inbox) == [7]
    inbox.end(1)
    assert taken_ids(inbox) == []


def test_many_that_wait_for_a_key_keep_the_credit_of_their_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penguiray.runtime.inbox._HELD_LIMIT", 2)
    inbox, taken = Inbox(one_of_a_key=True), list[int]()
    inbox.put(keyed(0, 1, 3, 5, 7, keys=2), lambda: taken.append(0))
    for number in (1, 3, 5):
        assert (taken_ids(inbox), taken) == ([number], [])
        inbox.end(number)
    assert (taken_ids(inbox), taken) == ([7], [0])


@given(st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=8), max_size=8), st.integers(0, 2**32))
def test_whatever_ends_when_each_key_is_worked_on_in_order_and_nothing_is_lost(
    frames: list[list[int]], seed: int
) -> None:
    inbox, taken, seen, at_work = Inbox(one_of_a_key=True), list[int](), list[int](), list[int]()
    keys: dict[int, int] = {}
    rest, number, steps, rng = list(enumerate(frames)), 0, 0, random.Random(seed)
    while rest or at_work or not inbox.is_empty:
        steps += 1
        assert steps < 10_000, "a message is never given"
        step = rng.randrange(3)
        if step == 0 and rest:
            sequence, drawn = rest.pop(0)
            ids = list(range(number, number + len(drawn)))
            number += len(drawn)
            mine = dict(zip(ids, drawn, strict=True))
            keys |= mine
            frame = Frame(LinkId(0, 0), 1, sequence, Kind.DATA, Messages(ids, ids, ids, keys=mine))
            inbox.put(frame, lambda sequence=sequence: taken.append(sequence))  # type: ignore[misc]
        elif step == 1 and at_work:
            inbox.end(at_work.pop(rng.randrange(len(at_work))))
        elif isinstance(got := inbox.take_nowait(rng.randrange(1, 4)), Messages):
            seen += got.ids
            at_work += got.ids
            assert len({keys[one] for one in at_work}) == len(at_work)
    assert sorted(taken) == list(range(len(frames)))
    for key in set(keys.values()):
        assert [one for one in seen if keys[one] == key] == [one for one in sorted(keys) if keys[one] == key]


def test_equal_keys_have_one_hash_in_every_process_and_others_another() -> None:
    assert key_hash("a") == 0x4FC18A3961387DF4  # a process that finds another one would choose another replica
    assert key_hash(Colour.RED) == key_hash("red")
    assert key_hash(True) == key_hash(1)
    hashes = [key_hash(one) for one in ("1", 1, b"1", ("1",), ("1", 1), (), (("1",), 1))]
    assert len(set(hashes)) == len(hashes)
    assert all(0 <= one < 2**63 for one in hashes)
    with pytest.raises(TypeError, match="not a list"):
        key_hash(["a"])  # type: ignore[arg-type]


def entered(gate: KeyGate[str], *messages: tuple[int, int, int]) -> list[bool]:
    """Have messages, each with its root, its id and its key, enter, or wait under the name of its id."""
    let_in = []
    for root, message_id, key in messages:
        let_in.append(gate.enter(root, message_id, key))
        if not let_in[-1]:
            gate.hold(root, message_id, key, str(message_id))
    return let_in


def test_a_key_that_is_free_again_can_be_taken_again() -> None:
    gate = KeyGate[str]()
    for message_id in range(3):
        assert entered(gate, (9, message_id, 5)) == [True]
        assert gate.leave(message_id) is None
    assert gate.leave(7) is None, "one that has no key"


def test_a_gate_knows_who_has_entered_and_who_waits() -> None:
    gate = KeyGate[str]()
    assert entered(gate, (1, 10, 5), (2, 20, 5), (3, 30, 6), (4, 40, 5)) == [True, False, True, False]
    assert (gate.entered(), list(gate.waiting()), len(gate)) == ([(1, 10), (3, 30)], ["20", "40"], 2)
    assert gate.at_work({1, 2}) == [10]
    assert gate.leave(10) == "20"
    assert (gate.entered(), list(gate.waiting()), len(gate)) == ([(3, 30), (2, 20)], ["40"], 1)
    assert gate.at_work({2, 3, 4}) == [30, 20]


def test_what_waits_of_inputs_that_were_given_up_is_taken_out_and_the_others_keep_their_order() -> None:
    gate = KeyGate[str]()
    entered(gate, (1, 10, 5), (2, 20, 5), (3, 30, 5), (2, 21, 5), (4, 40, 5), (6, 60, 6), (2, 22, 6))
    assert gate.drop({1, 2}) == ["20", "21", "22"]
    assert (list(gate.waiting()), len(gate)) == (["30", "40"], 2)
    assert [gate.leave(message_id) for message_id in (10, 30, 40, 60)] == ["30", "40", None, None]
    assert (gate.entered(), len(gate)) == ([], 0)


def test_ids_of_messages_that_wait_are_held_until_they_are_given() -> None:
    inbox = Inbox(one_of_a_key=True)
    inbox.put(keyed(0, 1, 4, 2, keys=3), lambda: None)
    assert sorted(inbox.held()) == [1, 2, 4]
    assert taken_ids(inbox) == [1, 2]
    assert sorted(inbox.held()) == [4]
