"""The call behind a handle's `send`: it has no end of its own, and its results are taken one at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penguiray.ingress.call import Call, State
from penguiray.ingress.window import Window
from penguiray.link.ids import position_of, root_of, trace_id_of
from penguiray.link.message import NO_FACTS, Facts

__all__ = ["LIVE_LIMIT", "UNREAD_LIMIT", "Outcome", "SentCall"]

LIVE_LIMIT = 1_000
"""Inputs of a handle that may be under way. They end without anybody's help, so a sender may wait for that."""
UNREAD_LIMIT = 10_000
"""Results of a handle that nobody has read, before it takes no more inputs. Smaller bounds memory; larger lets a
thread send more before it reads."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One result, or the error of an input; tells from which input it is."""

    trace_id: str
    """Trace id of the input."""
    value: Any = None
    """The result; means nothing beside an error."""
    error: Exception | None = None
    """Why the input did not end well."""


class SentCall(Call):
    """State of all that one handle has sent. Its owner's lock guards it."""

    def __init__(self, number: int, *, epoch: int, wake: Callable[[], None]) -> None:
        super().__init__(number, Window(LIVE_LIMIT, LIVE_LIMIT), ordered=False, facts=None, wake=wake)
        self._epoch = epoch
        self._said: dict[int, Facts] = {}
        self._outcomes: deque[Outcome] = deque()

    @property
    def room(self) -> int:
        """Inputs that may still be under way; those whose results wait for a reader are none of them."""
        return 0 if self.has_ended or self.is_closed else self.window.size - self.live + len(self.parked)

    @property
    def is_idle(self) -> bool:
        """Whether nothing of it goes on by itself: all is done, or waits at a join for other inputs."""
        return self.live == len(self.parked)

    @property
    def is_full(self) -> bool:
        """Whether so much is unread that no more inputs are taken."""
        return self.unread >= UNREAD_LIMIT

    def say(self, facts: Facts | None) -> str:
        """Note what the caller says about the input that is admitted next; gives its trace id."""
        if facts is not None:
            self._said[self.positions] = facts
        return self._trace_id(self.positions)

    def facts_of(self, roots: Sequence[int]) -> Mapping[int, Facts]:
        """What the caller said about these inputs, each one's own."""
        found = {root: self._said.get(position_of(root)) for root in roots} if self._said else {}
        return {root: facts for root, facts in found.items() if facts is not None} or NO_FACTS

    def put(self, position: int, values: list[Any], *, is_done: bool) -> None:
        """Results of an input have come, or it is done, or both."""
        trace_id = self._trace_id(position)
        self._count_given(position, len(values), is_done=is_done)
        self._outcomes.extend(Outcome(trace_id, value) for value in values)
        if is_done:
            error = self.errors.pop(position, None)
            self._said.pop(position, None)
            if error is not None:
                self._outcomes.append(Outcome(trace_id, error=error))
        self.unread = len(self._outcomes)
        self._wake()

    @property
    def takes_many(self) -> bool:
        """Never: each result is given with the trace id of its input."""
        return False

    def next_outcome(self, *, until_idle: bool) -> Outcome | State:
        """The oldest result that nobody has read.

        Args:
            until_idle: Whether it is the end that all which was sent so far is read and nothing more comes of it.

        Raises:
            Exception: The run failed or was stopped; results that came before are given first.
        """
        if self._outcomes:
            was_full = self.is_full
            outcome = self._outcomes.popleft()
            self.unread -= 1
            if was_full and not self.is_full:
                self._wake()
            return outcome
        if self.failure is not None:
            raise self.failure
        return State.END if self.is_closed or (until_idle and self.is_idle) else State.NOTHING

    def _trace_id(self, position: int) -> str:
        said = self._said.get(position)
        given = said.trace_id if said is not None else ""
        return given or trace_id_of(self._epoch, root_of(self.number, position))
