"""Frames wait in order and give their credit back when their last message is taken."""

from __future__ import annotations

import asyncio

from penguiray.link.frame import Frame, Kind, LinkId
from penguiray.link.message import Facts, Messages
from penguiray.runtime.inbox import Control, Inbox, OnTaken


def frame(sequence: int, *ids: int, kind: Kind = Kind.DATA) -> Frame:
    return Frame(LinkId(0, 0), 1, sequence, kind, Messages([1] * len(ids), list(ids), list(ids)), call=9)


def put(inbox: Inbox, taken: list[int], *frames: Frame) -> None:
    for one in frames:
        inbox.put(one, lambda sequence=one.sequence: taken.append(sequence))  # type: ignore[misc]


def test_messages_come_in_order_at_most_so_many_and_free_their_frame_at_its_end() -> None:
    inbox, taken = Inbox(), list[int]()
    put(inbox, taken, frame(0, 1, 2, 3), frame(1, 4), frame(2, kind=Kind.END), frame(3, 5))
    seen: list[list[int] | Control] = []
    freed = []
    while (got := inbox.take_nowait(2)) is not None:
        seen.append(got if isinstance(got, Control) else got.ids)
        freed.append(list(taken))
    control = seen.pop(3)
    assert seen == [[1, 2], [3], [4], [5]]
    assert isinstance(control, Control)
    assert (control.kind, control.call) == (Kind.END, 9)
    assert freed == [[], [0], [0, 1], [0, 1, 2], [0, 1, 2, 3]]
    assert inbox.is_empty


def test_take_waits_for_messages_and_gives_none_at_the_end() -> None:
    async def main() -> None:
        inbox, taken = Inbox(), list[int]()
        waiting = asyncio.create_task(inbox.take(5))
        await asyncio.sleep(0)
        assert not waiting.done()
        put(inbox, taken, frame(0, 1))
        got = await waiting
        assert isinstance(got, Messages)
        assert got.ids == [1]
        put(inbox, taken, frame(1, 2))
        inbox.close()
        assert isinstance(await inbox.take(5), Messages)
        assert await inbox.take(5) is None

    asyncio.run(main())


def test_an_abandoned_inbox_gives_nothing_more() -> None:
    async def main() -> None:
        inbox = Inbox()
        put(inbox, [], frame(0, 1))
        inbox.abandon()
        assert await inbox.take(5) is None
        assert inbox.is_abandoned

    asyncio.run(main())


def test_an_empty_frame_is_taken_at_once() -> None:
    inbox, taken = Inbox(), list[int]()
    put(inbox, taken, frame(0))
    assert taken == [0]
    assert inbox.is_empty


def rooted(sequence: int, *roots: int, kind: Kind = Kind.DATA) -> Frame:
    return Frame(LinkId(0, 0), 1, sequence, kind, Messages(list(roots), list(roots), list(roots)), call=9)


def test_messages_on_a_way_back_are_given_first() -> None:
    inbox, taken = Inbox(), list[int]()
    put(inbox, taken, rooted(0, 1, 2), rooted(0, 3, kind=Kind.BACK))
    seen = []
    while isinstance(got := inbox.take_nowait(5), Messages):
        seen.append(got.ids)
    assert seen == [[3], [1, 2]]


def test_dropped_messages_are_gone_their_credit_is_back_and_control_words_stay() -> None:
    inbox, taken = Inbox(), list[int]()
    put(inbox, taken, rooted(0, 1, 1), rooted(1, 1, 2), rooted(2, kind=Kind.END), rooted(3, 1, kind=Kind.BACK))
    inbox.drop({1})
    assert sorted(taken) == [0, 3]
    got = inbox.take_nowait(5)
    assert isinstance(got, Messages)
    assert got.ids == [2]
    assert isinstance(inbox.take_nowait(5), Control)
    assert inbox.is_empty


def test_a_paused_inbox_gives_nothing_though_something_waits_until_it_goes_on() -> None:
    async def main() -> list[object]:
        inbox = Inbox()
        put(inbox, [], frame(0, 1, 2))
        inbox.pause()
        put(inbox, [], frame(1, 3))
        paused = [await inbox.take(5), inbox.take_nowait(5)]
        inbox.resume()
        taken = await inbox.take(5)
        assert isinstance(taken, Messages)
        return [*paused, taken.ids, inbox.is_empty]

    assert asyncio.run(main()) == [None, None, [1, 2], False]


async def waited_for(inbox: Inbox, seen: list[list[int]], *, refuses: bool = False) -> asyncio.Task[object]:
    """A worker that waits, and works at once on what it may."""

    def at_once(messages: Messages, on_taken: OnTaken) -> bool:
        if refuses:
            return False
        on_taken()
        seen.append(messages.ids)
        return True

    waiting = asyncio.create_task(inbox.take(5, at_once=at_once))
    await asyncio.sleep(0)
    return waiting


def test_what_comes_while_a_worker_waits_may_be_worked_on_at_once() -> None:
    async def main() -> None:
        inbox, taken, seen = Inbox(), list[int](), list[list[int]]()
        put(inbox, taken, frame(0, 1))
        await inbox.take(5)
        put(inbox, taken, frame(1, 2))
        await inbox.take(5)
        assert seen == [], "nobody waits"
        waiting = await waited_for(inbox, seen)
        put(inbox, taken, frame(2, 3, 4), frame(3, 5))
        assert (seen, taken, inbox.is_empty, inbox.ahead) == ([[3, 4], [5]], [0, 1, 2, 3], True, 0)
        await asyncio.sleep(0)
        assert not waiting.done()
        put(inbox, taken, frame(4, kind=Kind.END), frame(5, 6))
        assert seen == [[3, 4], [5]], "a control word was before it"
        assert isinstance(await waiting, Control)
        put(inbox, taken, frame(6, 7))
        assert isinstance(await inbox.take(5), Messages)

    asyncio.run(main())


def test_what_the_worker_will_not_work_on_at_once_is_put_down() -> None:
    async def main() -> None:
        inbox, taken = Inbox(), list[int]()
        waiting = await waited_for(inbox, [], refuses=True)
        put(inbox, taken, frame(0, 1))
        assert taken == []
        assert isinstance(await waiting, Messages)
        assert taken == [0]

    asyncio.run(main())


def test_nothing_is_worked_on_at_once_that_has_to_be_known_of() -> None:
    async def main() -> None:
        begun, seen = list[int](), list[list[int]]()
        inbox = Inbox(on_suspect=lambda _, message_id: begun.append(message_id))
        waiting = await waited_for(inbox, seen)
        suspect = frame(0, 1)
        suspect.messages.facts = {1: Facts(is_suspect=True)}
        put(inbox, [], suspect)
        assert (begun, seen) == ([1], [])
        inbox.note_known()
        assert isinstance(await waiting, Messages)

        by_key = Inbox(one_of_a_key=True)
        waiting = await waited_for(by_key, seen)
        first, second = frame(0, 1), frame(1, 2)
        first.messages.keys, second.messages.keys = {1: 77}, {2: 77}
        put(by_key, [], first)
        assert isinstance(await waiting, Messages)
        waiting = await waited_for(by_key, seen)
        put(by_key, [], second)
        assert (seen, waiting.done()) == ([], False), "the first one of that key has not ended"
        by_key.end(1)
        assert isinstance(await waiting, Messages)

    asyncio.run(main())


def test_nothing_is_worked_on_at_once_while_another_version_is_to_come() -> None:
    async def main() -> None:
        inbox, seen = Inbox(), list[list[int]]()
        waiting = await waited_for(inbox, seen)
        inbox.pause()
        put(inbox, [], frame(0, 1))
        assert (seen, await waiting) == ([], None)

    asyncio.run(main())
