"""Suspects are given one at a time, and only when the caller's side knows of it; others go on."""

from __future__ import annotations

from penguiray.link.frame import Frame, Kind, LinkId
from penguiray.link.message import Facts, Messages
from penguiray.runtime.inbox import Inbox


class Box:
    def __init__(self) -> None:
        self.said: list[tuple[int, int]] = []
        self.taken: list[int] = []
        self.inbox = Inbox(on_suspect=lambda root, message_id: self.said.append((root, message_id)))

    def put(self, *ids: int, suspects: tuple[int, ...] = ()) -> None:
        """A frame of messages that are each the only one of its root, the id of which is the same."""
        facts = {number: Facts(is_suspect=True) for number in suspects}
        frame = Frame(LinkId(0, 0), 1, len(self.taken), Kind.DATA, Messages(list(ids), list(ids), list(ids), facts))
        self.inbox.put(frame, lambda: self.taken.append(ids[0]))

    def take(self) -> list[int]:
        taken = self.inbox.take_nowait(100)
        return taken.ids if isinstance(taken, Messages) else []


def test_others_pass_and_a_suspect_is_given_alone_once_it_is_known() -> None:
    box = Box()
    box.put(1, 2, 3, suspects=(2,))
    assert (box.said, box.take(), box.take()) == ([(2, 2)], [1, 3], [])
    assert list(box.inbox.held()) == [2]
    assert box.taken == [], "its credit is not free yet"
    box.inbox.note_known()
    assert (box.take(), box.taken) == ([2], [1])


def test_the_next_one_is_said_when_the_one_before_it_has_ended() -> None:
    box = Box()
    box.put(1, 2, suspects=(1, 2))
    box.inbox.note_known()
    assert box.take() == [1]
    assert box.said == [(1, 1)]
    box.inbox.end(7)
    assert box.said == [(1, 1)]
    box.inbox.end(1)
    assert (box.said, box.take()) == ([(1, 1), (2, 2)], [])
    box.inbox.note_known()
    assert box.take() == [2]
    box.inbox.end(2)
    assert box.inbox.is_empty


def test_a_suspect_that_is_given_up_makes_room_for_the_next_one_wherever_it_is() -> None:
    for before_known in (True, False):
        box = Box()
        box.put(1, 2, 3, suspects=(1, 2, 3))
        if not before_known:
            box.inbox.note_known()
            assert box.take() == [1]
        box.inbox.drop({1, 3})
        assert box.said[-1] == (2, 2)
        box.inbox.note_known()
        assert box.take() == [2]
        box.inbox.end(2)
        assert box.inbox.is_empty
        assert box.taken == [1]


def test_a_copy_that_ends_first_does_not_take_the_place_of_the_one_that_waits() -> None:
    box = Box()
    box.put(1, suspects=(1,))
    box.put(2, suspects=(2,))
    box.inbox.end(1)
    box.inbox.note_known()
    assert box.take() == [1]
    box.inbox.end(1)
    box.inbox.note_known()
    assert box.take() == [2]
