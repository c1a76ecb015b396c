"""Both ends of a flow as scripts: inputs that come when they are told to, nodes that fail when they are told to.

Source: the testing source and sink of bytewax, whose scripts hold pauses and errors among the items.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

from penguiray.testing.virtual import current_clock

__all__ = ["Abort", "Outcomes", "Pause", "Recorder", "Script", "outcomes", "script"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pause:
    """A while in a script in which nothing comes: virtual seconds in virtual time, real ones elsewhere."""

    seconds: float
    """How long."""


@dataclass(frozen=True, slots=True)
class Abort:
    """A place in a script at which the source itself fails."""

    error: Exception = field(default_factory=lambda: RuntimeError("the script aborts here"))
    """What is raised."""


class Script(Generic[T]):
    """Inputs for a `map`, read once from beginning to end. After an `Abort` the next reader goes on behind it."""

    def __init__(self, items: Iterable[T | Pause | Abort]) -> None:
        self._rest = iter(items)
        self.given: list[T] = []
        """The inputs that were read so far."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        for item in self._rest:
            if not isinstance(item, Pause):
                return self._give(item)
            clock = current_clock()
            (time.sleep if clock is None else clock.sleep)(item.seconds)
        raise StopIteration

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        for item in self._rest:
            if not isinstance(item, Pause):
                return self._give(item)
            await asyncio.sleep(item.seconds)
        raise StopAsyncIteration

    def _give(self, item: T | Abort) -> T:
        if isinstance(item, Abort):
            raise item.error
        self.given.append(item)
        return item


class Outcomes(Generic[T]):
    """An async function of one message whose calls end as scripted, in the order in which they begin."""

    def __init__(self, items: Iterable[T | Exception | Pause]) -> None:
        self._rest = iter(items)
        self.calls: list[Any] = []
        """What it was called with so far."""

    async def __call__(self, value: Any) -> T:
        """Take the pauses and the outcome that come next in the script.

        Raises:
            Exception: The script says so.
            LookupError: There are more calls than outcomes.
        """
        self.calls.append(value)
        pause_s = 0.0
        for item in self._rest:
            if not isinstance(item, Pause):
                break
            pause_s += item.seconds
        else:
            raise LookupError(f"outcomes: no outcome is left for call {len(self.calls)}, with {value!r}")
        if pause_s:
            await asyncio.sleep(pause_s)
        if isinstance(item, Exception):
            raise item
        return item


class Recorder(Generic[T]):
    """A function that gives what it takes, and remembers it: a node anywhere in a flow of the local engine.

    On Ray each replica has a copy of its own, so nothing is seen here.
    """

    def __init__(self) -> None:
        self.entries: list[tuple[float, T]] = []
        """When each message came, and the message, in the order in which they came. In virtual time the seconds are
        those of its clock, elsewhere those of `time.monotonic`."""

    def __call__(self, value: T) -> T:
        """Remember a message and give it back."""
        clock = current_clock()
        self.entries.append((time.monotonic() if clock is None else clock.now(), value))
        return value

    @property
    def values(self) -> list[T]:
        """The messages without their times."""
        return [value for _, value in self.entries]

    @property
    def times(self) -> list[float]:
        """The times without their messages."""
        return [when for when, _ in self.entries]


def script(*items: T | Pause | Abort) -> Script[T]:
    """Inputs that come as scripted: `script(1, 2, Pause(30), Abort(), 3)`, for `for` and `async for`.

    Args:
        *items: Inputs, with a `Pause` where nothing comes for a while and an `Abort` where reading fails.
    """
    return Script(items)


def outcomes(*items: T | Exception | Pause) -> Outcomes[T]:
    """A node's function whose calls end as scripted: `pr.node(outcomes("page", TimeoutError(), "page"))`.

    Args:
        *items: For each call what it gives, or the exception that it raises; a `Pause` before it lets the call last.
    """
    return Outcomes(items)
