"""One call of a run (an ask, a map): its inputs under way, and its results on their way to the consumer."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penguiray.ingress.window import Window
from penguiray.link.message import NO_FACTS, PRIORITIES, PRIORITY, Facts

__all__ = ["Call", "Part", "State", "facts_for"]

_PART_VALUES = 1_000
"""Results that are gathered in one part; the consumer takes a part at a time."""


class State(enum.Enum):
    """What a consumer finds when it asks for more."""

    NOTHING = "nothing yet"
    END = "the end"


@dataclass(slots=True)
class Part:
    """Something for the consumer: results, how many inputs end with them, and why the last of these failed, if so."""

    values: list[Any] = field(default_factory=list)
    """Results, in the order in which they came."""
    ended: int = 0
    """Inputs that are done with this."""
    error: Exception | None = None
    """Why the input that ends here did not end well; it comes after the values."""


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
        self.live = 0
        """Roots that are not done."""
        self.positions = 0
        """Inputs admitted so far."""
        self.released = 0
        """Inputs whose last result the consumer has taken."""
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
        self.has_expired = False
        """Whether a message of it was given up because its deadline was too near."""
        self.parked: set[int] = set()
        """Roots that wait at a join for other inputs of the call, with nothing else under way."""
        self.unread = 0
        """Results that wait for the consumer."""
        self.given: dict[int, int] = {}
        """How many results inputs have given that are not done, by position."""
        self.read: deque[Any] = deque()
        """Inputs that were read and not admitted, since they would have to wait for their frame anyway: see
        `InputCheck.one`. The thread that reads adds some without the lock; whoever has it may admit them."""
        self.errors: dict[int, Exception] = {}
        """First errors of inputs that are not done, by position."""
        self._ordered = ordered
        self._wake = wake
        self._ready: deque[Part] = deque()
        self._held: dict[int, Part] = {}
        self._head = 0

    @property
    def room(self) -> int:
        """Inputs that still fit into the window; 0 when no more are wanted."""
        if self.has_ended or self.is_closed:
            return 0
        return self.window.size - self.positions + self.released + self.outside

    @property
    def outside(self) -> int:
        """Inputs that the window does not count.

        Those that wait at a join for others, which the window must let in, and those that are done and wait behind
        them for their turn.
        """
        return len(self.parked) + (len(self._held) if self.parked else 0)

    @property
    def has_results(self) -> bool:
        """Whether `take` would give a part."""
        return bool(self._ready)

    @property
    def is_drained(self) -> bool:
        """Whether the consumer has taken everything, and the call did not fail."""
        return self.is_closed and not self._ready and self.failure is None

    def park(self, root: int) -> None:
        """An input waits for other inputs: so it must not keep them out of the window."""
        self.parked.add(root)
        self._wake()

    def floods(self, position: int, limit: int) -> bool:
        """Whether an input that is not done has given more results than the limit, and they are not being read."""
        if self.given.get(position, 0) <= limit:
            return False
        return self.unread > limit // 2 or position in self._held

    def facts_of(self, roots: Sequence[int]) -> Mapping[int, Facts]:
        """What the caller said about these inputs, by root."""
        return NO_FACTS if self.facts is None else dict.fromkeys(roots, self.facts)

    def next_positions(self, count: int) -> range:
        """Admit more inputs; gives their positions."""
        self.positions += count
        return range(self.positions - count, self.positions)

    def put(self, position: int, values: list[Any], *, is_done: bool) -> None:
        """Results of an input have come, or it is done, or both."""
        error = self.errors.pop(position, None) if is_done and self.errors else None
        if self.given or not is_done:
            self._count_given(position, len(values), is_done=is_done)
        if self._ordered and position != self._head:
            held = self._held.setdefault(position, Part())
            held.values += values
            held.ended, held.error = int(is_done), error
        else:
            self._hand_on(values, int(is_done), error)
            if self._ordered and is_done:
                self._move_head()
        self._wake()

    @property
    def takes_many(self) -> bool:
        """Whether `put_many` may be used: nothing has to be said about single inputs."""
        return not (self._ordered or self.errors or self.given or self.parked)

    def put_many(self, values: Sequence[Any]) -> None:
        """As many inputs are done as there are values, each with one of them."""
        self._hand_on(values, len(values), None)
        self._wake()

    def _count_given(self, position: int, values: int, *, is_done: bool) -> None:
        if not is_done:
            self.given[position] = self.given.get(position, 0) + values
        else:
            self.given.pop(position, None)

    def _hand_on(self, values: Sequence[Any], ended: int, error: Exception | None) -> None:
        """Give the consumer some more, together with what waits for it already if that is not much."""
        self.unread += len(values)
        last = self._ready[-1] if self._ready else None
        if last is None or last.error is not None or len(last.values) >= _PART_VALUES:
            self._ready.append(Part(list(values), ended, error))
        else:
            last.values += values
            last.ended += ended
            last.error = error

    def _move_head(self) -> None:
        """Hand on what belongs to the oldest input that is not done, and to those behind it once it is."""
        self._head += 1
        while (part := self._held.pop(self._head, None)) is not None:
            self._hand_on(part.values, part.ended, part.error)
            if not part.ended:
                return
            self._head += 1

    def take(self) -> Part | State:
        """The next part for the consumer, who says `release` when it has been through it.

        Raises:
            Exception: The call failed as a whole; results that came before are given first.
        """
        if self._ready:
            part = self._ready.popleft()
            self.unread -= len(part.values)
            return part
        if self.failure is not None:
            raise self.failure
        return State.END if self.is_closed else State.NOTHING

    def release(self, part: Part, now: float) -> None:
        """The consumer has been through a part."""
        if part.ended:
            self.released += part.ended
            self.window.on_released(part.ended, now)

    def close(self, failure: Exception | None = None) -> None:
        """No more results will come."""
        self.is_closed = True
        self.failure = self.failure or failure
        self._wake()


def facts_for(
    trace_id: str | None, headers: Mapping[str, str] | None, timeout_s: float | None, now: float
) -> Facts | None:
    """What a caller said about its inputs; None if it said nothing.

    Raises:
        TypeError: A header is not a pair of texts, or the trace id is none.
        ValueError: The header `priority` says something else than how urgent the inputs are, or is written otherwise.
    """
    if trace_id is None and not headers and timeout_s is None:
        return None
    for name, value in (headers or {}).items():
        if not type(name) is type(value) is str:  # a subclass might not be known where the header arrives
            raise TypeError(f"headers are pairs of texts, not {name!r}: {value!r}")
        if name != PRIORITY and name.lower() == PRIORITY:
            raise ValueError(f"the header {name!r} would mean nothing here: write it {PRIORITY!r}, in small letters")
    if headers and headers.get(PRIORITY, "normal") not in PRIORITIES:
        known = ", ".join(map(repr, PRIORITIES))
        raise ValueError(f"the header {PRIORITY!r} is one of {known}, not {headers[PRIORITY]!r}")
    if trace_id is not None and type(trace_id) is not str:
        raise TypeError(f"a trace id is a text, not {trace_id!r}")
    return Facts(trace_id or "", dict(headers or {}), None if timeout_s is None else now + timeout_s)
