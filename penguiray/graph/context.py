"""What a node function may ask and do about the message that it works on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from penguiray.errors import NodeError, NotYetError
from penguiray.graph.values import Routed

__all__ = ["EMIT_LIMIT", "Context", "MessageFacts"]

EMIT_LIMIT = 1_000
"""Most messages that one call may emit; a generator has no such limit, since it can be made to wait."""


class MessageFacts(Protocol):
    """What the runtime tells a context about its message."""

    trace_id: str
    headers: Mapping[str, str]

    def remaining_s(self) -> float | None:
        """Seconds until the message's deadline, or None without one."""
        ...

    def destination(self, node: str) -> int:
        """How the way to a node is named, which must be the next node or at the end of a way back."""
        ...


class Context:
    """Given to a node function that has a parameter annotated `pr.Context`.

    It belongs to one call: one attempt at one message, or at one batch. In a batch node it speaks of the batch's
    first message.
    """

    __slots__ = ("_emitted", "_facts", "attempt", "message_id", "node")

    def __init__(self, facts: MessageFacts, *, node: str, message_id: int, attempt: int) -> None:
        self._facts = facts
        self._emitted: list[Any] = []
        self.node = node
        """Name of the node."""
        self.message_id = message_id
        """Id of the message; the same in every attempt."""
        self.attempt = attempt
        """Number of this attempt, from 1."""

    @property
    def trace_id(self) -> str:
        """Id of the input that the message came from: 32 hexadecimal digits, or what the caller gave."""
        return self._facts.trace_id

    @property
    def headers(self) -> Mapping[str, str]:
        """What the caller sent along with the input; read-only."""
        return self._facts.headers

    @property
    def remaining_s(self) -> float | None:
        """Seconds left until the caller's deadline, never below 0; None if there is none."""
        remaining = self._facts.remaining_s()
        return None if remaining is None else max(0.0, remaining)

    def emit(self, value: Any, *, to: Any = None, key: Any = None) -> None:
        """Give one more output message, before what the function returns; never waits.

        Args:
            value: The message.
            to: The one node that gets it: a node that this one leads to, by an edge or a way back, or its name. None:
                all that this one's messages go to, ways back left out unless its type takes one.
            key: Not yet.

        Raises:
            NodeError: The call has emitted 1,000 messages; make the node a generator instead.
            FlowError: `to` is no such node.
            NotYetError: `key` was given.
        """
        if key is not None:
            raise NotYetError("ctx.emit(key=) is not built yet; pr.join(key=...) takes a function of the message")
        if len(self._emitted) >= EMIT_LIMIT:
            raise NodeError(
                f"node {self.node!r}: emitted more than {EMIT_LIMIT} messages in one call; make it a generator, "
                f"whose messages leave as they are yielded"
            )
        if to is not None:
            value = Routed(self._facts.destination(to if isinstance(to, str) else to.name), value)
        self._emitted.append(value)

    def emitted(self) -> list[Any]:
        """What the call has emitted so far, in order."""
        return self._emitted
