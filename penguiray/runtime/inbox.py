"""Frames that a replica has received and not begun. Bounded by the credit of its senders."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass

from penguiray.link.frame import SERVED, Frame, Kind
from penguiray.link.message import Messages
from penguiray.runtime.keys import KeyGate
from penguiray.runtime.quarantine import Quarantine

__all__ = ["AtOnce", "Control", "Inbox", "OnTaken"]

_HELD_LIMIT = 1_000
"""Messages that may wait for another one of their key before they use up credit, and so hold up other keys."""


OnTaken = Callable[[], None]
"""Called when messages have been taken: their credit is free then."""
AtOnce = Callable[[Messages, OnTaken], bool]
"""Takes messages and works on them here and now, if they are such that it may; returns whether it has done so."""


@dataclass(frozen=True, slots=True)
class Control:
    """A control word that has come to its turn."""

    kind: Kind
    call: int
    messages: Messages


@dataclass(slots=True)
class _Waiting:
    frame: Frame
    messages: Messages
    on_taken: OnTaken


class Inbox:
    """Gives messages in the order in which they came, urgent kinds first, as many as the worker wants."""

    def __init__(self, *, one_of_a_key: bool = False, on_suspect: Callable[[int, int], None] | None = None) -> None:
        """Prepare.

        Args:
            on_suspect: Has the caller's side told of the root and the id of a message that replicas may die of, before
                it is given; `note_known` is due then. None: they are given like all others.
            one_of_a_key: Whether a message with a key is given only when the one before it of that key has ended. A
                worker that takes each message to its end before the next keeps their order by itself.
        """
        self._lanes: dict[Kind, deque[_Waiting]] = {kind: deque() for kind in SERVED}
        self._keys: KeyGate[_Waiting] | None = KeyGate() if one_of_a_key else None
        self.one_of_a_key = one_of_a_key
        """Whether `end` is to be told of each message that ends."""
        self._quarantine: Quarantine[_Waiting] | None = Quarantine(on_suspect) if on_suspect is not None else None
        self._filled = asyncio.Event()
        self._at_once: AtOnce | None = None
        self._is_closed = False
        self.ahead = 0
        """Messages that may be taken; in the moment in which a frame is said to be taken, those taken with it too."""
        self.is_paused = False
        """Whether nothing is given for now, as if no more would come, though frames may."""
        self.is_abandoned = False
        """Whether the replica is ending without finishing what it holds."""

    def put(self, frame: Frame, on_taken: OnTaken) -> None:
        """Add a frame; `on_taken` is called when its last message has been taken: its credit is free then."""
        if frame.kind.is_data and not frame.messages.ids:
            on_taken()
        elif self._at_once is not None and self._lets_pass(frame) and self._at_once(frame.messages, on_taken):
            return
        elif self._keys is not None and frame.messages.keys:
            self._put_keyed(self._keys, frame, on_taken)
        else:
            self._add(_Waiting(frame, frame.messages, on_taken))

    def _lets_pass(self, frame: Frame) -> bool:
        """Whether messages need not be put down: nothing is before them, and nothing is to be known of them later."""
        messages = frame.messages
        is_apart = self._watches(messages) or (self._keys is not None and messages.keys)
        return frame.kind.is_data and not is_apart and not self.is_paused and self.is_empty

    def _watches(self, messages: Messages) -> bool:
        """Whether some of the messages are set apart, since replicas may die of them."""
        facts = messages.facts
        return bool(facts) and self._quarantine is not None and any(one.is_suspect for one in facts.values())

    def _add(self, waiting: _Waiting) -> None:
        if self._quarantine is not None and self._watches(waiting.messages):
            rest = self._set_apart(self._quarantine, waiting)
            if rest is None:
                return
            waiting = rest
        self._lane(waiting).append(waiting)
        self.ahead += len(waiting.messages.ids)
        self._filled.set()

    def _set_apart(self, quarantine: Quarantine[_Waiting], waiting: _Waiting) -> _Waiting | None:
        """Keep each message of a suspect by itself; gives the others, if there are some."""
        messages, others = waiting.messages, list[int]()
        taken = _Countdown(waiting.on_taken)
        for index, (root, message_id) in enumerate(zip(messages.roots, messages.ids, strict=True)):
            if root in messages.facts and messages.facts[root].is_suspect:
                quarantine.put(root, message_id, _Waiting(waiting.frame, messages.pick([index]), taken.part()))
            else:
                others.append(index)
        rest = _Waiting(waiting.frame, messages.pick(others), taken.part()) if others else None
        taken.end()
        return rest

    def note_known(self) -> None:
        """The caller's side knows which suspect is about to begin: it may."""
        waiting = None if self._quarantine is None else self._quarantine.known()
        if waiting is not None:
            self._lane(waiting).appendleft(waiting)
            self.ahead += len(waiting.messages.ids)
            self._filled.set()

    def _lane(self, waiting: _Waiting) -> deque[_Waiting]:
        return self._lanes[waiting.frame.kind if waiting.frame.kind.is_data else Kind.DATA]

    def _put_keyed(self, gate: KeyGate[_Waiting], frame: Frame, on_taken: OnTaken) -> None:
        """Add what may be worked on, and keep each message whose key is taken by itself."""
        messages, free = frame.messages, list[int]()
        frees = _Countdown(on_taken)
        for index, (root, message_id) in enumerate(zip(messages.roots, messages.ids, strict=True)):
            key = messages.keys.get(message_id)
            if key is None or gate.enter(root, message_id, key):
                free.append(index)
            else:
                taken = _nothing if len(gate) < _HELD_LIMIT else frees.part()
                gate.hold(root, message_id, key, _Waiting(frame, messages.pick([index]), taken))
        if free:
            self._add(_Waiting(frame, messages.pick(free), frees.part()))
        frees.end()

    def end(self, message_id: int) -> None:
        """A message that was taken is finished: the next one of its key may be taken."""
        if self._quarantine is not None:
            self._quarantine.leave(message_id)
        following = None if self._keys is None else self._keys.leave(message_id)
        if following is not None:
            self._add(following)

    def drop(self, roots: Container[int]) -> None:
        """Take out what waits of these roots, and wait for none of them any more; control words stay."""
        for lane in self._lanes.values():
            waiting = list(lane)
            lane.clear()
            for one in waiting:
                if one.frame.kind.is_data:
                    before, one.messages = len(one.messages.ids), one.messages.without(roots)
                    self.ahead -= before - len(one.messages.ids)
                if one.frame.kind.is_data and not len(one.messages):
                    one.on_taken()
                else:
                    lane.append(one)
        if self._keys is not None:
            for one in self._keys.drop(roots):
                one.on_taken()
            for message_id in self._keys.at_work(roots):
                self.end(message_id)
        for one in self._quarantine.drop(roots) if self._quarantine is not None else ():
            one.on_taken()

    def held(self) -> Iterator[int]:
        """Ids of the messages that wait."""
        for lane in self._lanes.values():
            for one in lane:
                yield from one.messages.ids
        for gate in (self._keys, self._quarantine):
            for one in gate.waiting() if gate is not None else ():
                yield from one.messages.ids

    def close(self) -> None:
        """No more frames will come: `take` gives None once the inbox is empty."""
        self._is_closed = True
        self._filled.set()

    def pause(self) -> None:
        """Give nothing more for now: the worker ends when it has finished what it took."""
        self.is_paused = True
        self._filled.set()

    def resume(self) -> None:
        """Another worker takes from now on."""
        self.is_paused = False

    def abandon(self) -> None:
        """The replica ends now: what was not finished will not be."""
        self.is_abandoned = True
        for lane in self._lanes.values():
            lane.clear()
        self._keys = self._quarantine = None
        self.close()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        for lane in self._lanes.values():
            if lane:
                return False
        return not (self._keys or self._quarantine)

    def _first(self) -> deque[_Waiting] | None:
        """The most urgent lane that has something."""
        for lane in self._lanes.values():
            if lane:
                return lane
        return None

    async def take(self, limit: int, *, at_once: AtOnce | None = None) -> Messages | Control | None:
        """Wait for messages and take at most `limit` of them, or one control word.

        Args:
            limit: Most messages.
            at_once: Given messages that come while this waits, and that nothing has to be known of but that they came.
                If it has worked on them it returns True, and the wait goes on.

        Returns:
            None when it is closed and empty, or paused.
        """
        while self._first() is None and not self.is_paused:
            if self._is_closed and self.is_empty:
                return None
            self._filled.clear()
            self._at_once = at_once
            try:
                await self._filled.wait()
            finally:
                self._at_once = None
        return self.take_nowait(limit)

    def take_nowait(self, limit: int) -> Messages | Control | None:
        """Like `take`, but None when nothing can be taken."""
        lane = self._first()
        if lane is None or self.is_paused:
            return None
        first = lane[0]
        messages = first.messages
        if first.frame.kind.is_data and len(messages) > limit:
            first.messages = messages.cut(limit, len(messages))
            self.ahead -= limit
            return messages.cut(0, limit)
        lane.popleft()
        first.on_taken()
        self.ahead -= len(messages.ids)
        return messages if first.frame.kind.is_data else Control(first.frame.kind, first.frame.call, messages)


class _Countdown:
    """Calls a function once all parts that were handed out are done."""

    def __init__(self, on_zero: Callable[[], None]) -> None:
        self._left = 1
        self._on_zero = on_zero

    def part(self) -> Callable[[], None]:
        """One more part; to be called when it is done."""
        self._left += 1
        return self.end

    def end(self) -> None:
        """A part is done; also to be called once when no more will be handed out."""
        self._left -= 1
        if not self._left:
            self._on_zero()


def _nothing() -> None:
    """Nobody waits for the word to be taken: its credit is free already."""
