"""What a replica says about a call that is under way."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RunningCall"]


@dataclass(frozen=True, slots=True)
class RunningCall:
    """A call of a node that has begun and not ended."""

    node: str
    """Name of the node."""
    message_id: int
    """Id of its message; of a batch's first."""
    trace_id: str
    """Trace id of the input that the message came from."""
    messages: int
    """Messages that it is about: 1, or those of a batch."""
    age_s: float
    """How long it has been on its message, at least."""
