"""One call of a run (an ask, a map): its inputs under way, and its results on their way to the consumer."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from penguiray.ingress.window import Window
from penguiray.link.message import Facts

__all__ = ["Call", "Part", "State", "facts_for"]


class State(enum.Enum):
    """What a consumer finds when it asks for more."""

    NOTHING = "nothing yet"
    END = "the end"


@dataclass(slots=True)
class Part:
    """Something for the consumer: results of one input, or its end."""

    position: int
    """Position of the input in its call."""
    values: list[Any] = field(default_factory=list)
    """Results, in the order in which they came."""
    is_last: bool = False
    """Whether the input is done with this."""
    error: Exception | None = None
    """Why it did not end well."""


class Call:
    """State of a call. Its owner's lock guards it."""

    def __init__(
        self, number: int, window: Window, *, ordered: bool, facts: Facts | None, wake: Callable[[], None]
    ) -> None:
        self.number = number
        """Number of the call in its run."""
        self.window = window
        """Limit on inputs under way."""
        self.facts = facts
        """What the caller said about all its inputs."""
        self.live: set[int] = set()
        """Roots that are not done."""
        self.positions = 0
        """Inputs admitted so far."""
        self.released = 0
        """Roots whose last result the consumer has taken."""
        self.has_ended = False
        """Whether no more input will come."""
        self.folds_left: list[int] = []
        """Fold stages that are still to be closed."""
        self.hinted: list[int] = []
        """Batch stages that were told of the input's end."""
        self.is_closed = False
        """Whether no more results will come."""
        self.failure: Exception | None = None
        """Why the whole call failed."""
        self._ordered = ordered
        self._wake = wake
        self._ready: deque[Part] = deque()
        self._held: dict[int, list[Part]] = {}
        self._head = 0

    @property
    def room(self) -> int:
        """Inputs that still fit into the window; 0 when no more are wanted."""
        return 0 if self.has_ended or self.is_closed else self.window.size - self.positions + self.released

    @property
    def has_results(self) -> bool:
        """Whether `take` would give a part."""
        return bool(self._ready)

    @property
    def is_drained(self) -> bool:
        """Whether the consumer has taken everything, and the call did not fail."""
        return self.is_closed and not self._ready and self.failure is None

    def next_position(self) -> int:
        """Admit one more input."""
        self.positions += 1
        return self.positions - 1

    def put(self, part: Part) -> None:
        """Results have come, or an input is done."""
        if not self._ordered:
            self._ready.append(part)
        else:
            self._held.setdefault(part.position, []).append(part)
            self._move_head()
        self._wake()

    def _move_head(self) -> None:
        """Hand on what belongs to the oldest input that is not done, and to those behind it once it is."""
        while parts := self._held.pop(self._head, None):
            self._ready.extend(parts)
            if not parts[-1].is_last:
                return
            self._head += 1

    def take(self, now: float) -> Part | State:
        """The next part for the consumer, which counts as released with it.

        Raises:
            Exception: The call failed as a whole; results that came before are given first.
        """
        if self._ready:
            part = self._ready.popleft()
            if part.is_last:
                self.released += 1
                self.window.on_released(1, now)
            return part
        if self.failure is not None:
            raise self.failure
        return State.END if self.is_closed else State.NOTHING

    def close(self, failure: Exception | None = None) -> None:
        """No more results will come."""
        self.is_closed = True
        self.failure = self.failure or failure
        self._wake()


def facts_for(
    trace_id: str | None, headers: Mapping[str, str] | None, timeout_s: float | None, now: float
) -> Facts | None:
    """What a caller said about its inputs; None if it said nothing."""
    if trace_id is None and not headers and timeout_s is None:
        return None
    return Facts(trace_id or "", dict(headers or {}), None if timeout_s is None else now + timeout_s)
