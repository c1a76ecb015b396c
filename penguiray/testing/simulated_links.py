"""Links between simulated processes: the transports of the engine on Ray, over calls and streams in virtual time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

from penguiray.actors.calls import CallTransport
from penguiray.actors.door import OnBroken, OnWord
from penguiray.actors.letters import answer_with
from penguiray.link.frame import Feedback
from penguiray.link.words import Word

__all__ = ["Party", "Pipe", "Process", "SimulatedCalls", "World", "knock"]

_TOLD_S = 0.03
"""Longest until one end of a stream hears that it is broken."""


class Party:
    """A process, as its links see it: the caller's, or that of a replica."""

    def __init__(self, host: int) -> None:
        """It lives, and hears and is heard by all."""
        self.host = host
        self.is_alive = True
        self.deaf_until = 0.0
        self.mute_until = 0.0
        self.silent_from = float("inf")
        """What would arrive later than that was still with it when it died."""
        self.pipes: list[Pipe] = []


class Process(Party, ABC):
    """A replica's process."""

    @abstractmethod
    def take_frame(self, method: str, arguments: tuple[Any, ...], answer: Callable[[Feedback], None]) -> None:
        """A call has brought a frame."""

    @abstractmethod
    def greet(self, near: Pipe, sender: int, *, reads: bool) -> None:
        """There is a stream to this one, of which it is given its own end."""


class World(Protocol):
    """What links need of the world."""

    def set_out(self, sender: Party, function: Callable[..., None], *arguments: Any) -> None:
        """Do something in the world that a process does; from whatever thread that one's code is in."""
        ...

    def bring(
        self, sender: Party, receiver: Party, way: object, function: Callable[..., None], *arguments: Any
    ) -> None:
        """Have something happen at another process later, behind what went the same way before."""
        ...

    def may_fail(self, party: Party, moment: str) -> None:
        """A moment has come at which a process may die."""
        ...

    def may_break(self, pipe: Pipe) -> None:
        """Something is said on a stream."""
        ...

    def tell_later(self, most_s: float, function: Callable[[], None]) -> None:
        """Call something within so many seconds."""
        ...


class SimulatedCalls(CallTransport):
    """Frames as calls of simulated processes: each method has a queue of its own, as a concurrency group has."""

    def __init__(self, world: World, party: Party, **wishes: Any) -> None:
        """As for calls of Ray, and whose they are."""
        super().__init__(**wishes)
        self._world = world
        self._party = party

    def invoke(self, actor: Process, method: str, *arguments: Any) -> Future[Any]:
        """Call a method of a process; what dies on its way is answered by nobody."""
        answer: Future[Any] = Future()
        self._world.set_out(self._party, self._set_out, actor, method, arguments, answer)
        return answer

    def _set_out(self, actor: Process, method: str, arguments: tuple[Any, ...], answer: Future[Any]) -> None:
        def take() -> None:
            actor.take_frame(method, arguments, answered)

        def answered(feedback: Feedback) -> None:
            self._world.bring(actor, self._party, None, answer.set_result, answer_with(feedback))

        self._world.bring(self._party, actor, (self._party, actor, method), take)
        self._world.may_fail(self._party, "a frame leaves")


class Pipe:
    """One end of a stream between two processes."""

    def __init__(self, world: World, here: Party, there: Party, on_word: OnWord, on_broken: OnBroken) -> None:
        """Said to one another are both ends by whoever makes them."""
        self._world = world
        self._here = here
        self._there = there
        self._on_word = on_word
        self._on_broken = on_broken
        self._held: list[tuple[Word, bytes]] = []
        self._has_ended = False
        self.is_cut = False
        """Whether nothing arrives here any more."""
        self.other: Pipe
        here.pipes.append(self)

    def open(self, on_word: OnWord, on_broken: OnBroken) -> None:
        """From now on this end is listened to."""
        self._on_word, self._on_broken = on_word, on_broken

    def send(self, word: Word, *parts: bytes) -> None:
        """See `Stream`."""
        self._send([(word, b"".join(parts))])

    def hold(self, word: Word, *parts: bytes) -> None:
        """See `Stream`."""
        self._held.append((word, b"".join(parts)))

    def send_held(self) -> None:
        """See `Stream`."""
        if self._held:
            self._send([])

    def _send(self, words: list[tuple[Word, bytes]]) -> None:
        words, self._held = self._held + words, []
        self._world.set_out(self._here, self._set_out, words)

    def _set_out(self, words: list[tuple[Word, bytes]]) -> None:
        for word, payload in words if not self.is_cut else ():
            self._world.bring(self._here, self._there, self, self.other.take, word, payload)
            if word is Word.FRAME:
                self._world.may_fail(self._here, "a frame leaves")
            elif word is Word.REPORT:
                self._world.may_fail(self._here, "a report left")
        self._world.may_break(self)

    def take(self, word: Word, payload: bytes) -> None:
        """A word has arrived."""
        if not self.is_cut and self._here.is_alive:
            self._on_word(self, word, memoryview(payload))

    def cut(self) -> None:
        """It breaks: nothing arrives any more, and both ends are told."""
        for end in (self, self.other):
            if not end.is_cut:
                end.is_cut = True
                self._world.tell_later(_TOLD_S, end._end)  # noqa: SLF001 - the other end is one of these

    def _end(self) -> None:
        if not self._has_ended and self._here.is_alive:
            self._has_ended = True
            self._on_broken(self)

    def close(self) -> None:
        """See `Stream`: this end knows, and is not told."""
        self._has_ended = True
        self._world.set_out(self._here, self.cut)


def knock(
    world: World,
    here: Party,
    door: Process,
    _loop: object,
    *,
    sender: int,
    reads: bool,
    on_word: OnWord,
    on_broken: OnBroken,
) -> Pipe | None:
    """A stream to a replica of this host, where its process is its door; see `door.knock`."""
    if door.host != here.host or not door.is_alive:
        return None
    near = Pipe(world, here, door, on_word, on_broken)
    far = Pipe(world, door, here, _ignore_word, _ignore_end)
    near.other, far.other = far, near

    def greet() -> None:
        if not far.is_cut:
            door.greet(far, sender, reads=reads)

    world.set_out(here, world.bring, here, door, near, greet)
    return near


def _ignore_word(*_: object) -> None:
    """Nobody has been greeted yet."""


def _ignore_end(*_: object) -> None:
    """As above."""
