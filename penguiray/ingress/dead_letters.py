"""Messages that nodes gave up on, with the error that their callers see."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from penguiray.draw.html import folded, lines, verbatim
from penguiray.errors import DeadlineExceeded, NodeError
from penguiray.link.failure import Failure
from penguiray.link.ids import position_of

__all__ = ["DeadLetter", "DeadLetters"]

_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that a node gave up on."""

    node: str
    """The node."""
    value: Any
    """What the node was given; None if it was larger than 64 KiB or could not be carried."""
    error: NodeError | DeadlineExceeded
    """Why, with the user's exception as `__cause__`."""
    trace_id: str
    """Trace id of the input that it came from."""

    def _repr_html_(self) -> str:
        """What a notebook shows: the message, and its error with the causes."""
        given = folded(f"what {self.node} was given", verbatim(_repr_of(self.value)))
        return lines(given, self.error._repr_html_())


def _repr_of(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - a user's `__repr__` is user code
        return f"a {type(value).__name__} whose repr raises"


class DeadLetters:
    """The newest 1,000, and how many there were."""

    __slots__ = ("kept", "total")

    def __init__(self) -> None:
        self.kept: deque[DeadLetter] = deque(maxlen=_KEPT)
        """The newest, oldest first."""
        self.total = 0
        """How many there were since the start."""

    def add(self, failure: Failure, trace_id: str, *, is_of_many: bool) -> NodeError | DeadlineExceeded:
        """Keep a failure; gives the error for its caller, which says which input it is about if that is one of many."""
        error = _error(failure, trace_id, is_of_many=is_of_many)
        self.kept.append(DeadLetter(failure.node, failure.restore_value(), error, trace_id))
        self.total += 1
        return error


def _error(failure: Failure, trace_id: str, *, is_of_many: bool) -> NodeError | DeadlineExceeded:
    cause = failure.error.restore()
    if failure.is_late and isinstance(cause, DeadlineExceeded):
        return cause
    index = position_of(failure.root)
    whose = f" of inputs[{index}]" if is_of_many else ""
    attempts = "" if failure.attempt == 1 else f" after {failure.attempt} attempts"
    error = NodeError(
        f"node {failure.node!r} failed on a message{whose}{attempts}: {failure.error}",
        node=failure.node,
        attempt=failure.attempt,
        message_id=failure.message_id,
        trace_id=trace_id,
        index=index,
    )
    error.__cause__ = cause
    return error
