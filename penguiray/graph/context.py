"""What a node function may ask and do about the message that it works on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypedDict, TypeVar

from penguiray.errors import FlowError, NodeError
from penguiray.graph.subflow import Subflow, Subrun
from penguiray.graph.values import Key, Routed, key_hash

__all__ = ["EMIT_LIMIT", "Context", "MessageFacts"]

EMIT_LIMIT = 1_000
"""Most messages that one call may emit; a generator has no such limit, since it can be made to wait."""


A = TypeVar("A")
B = TypeVar("B")


class MessageFacts(Protocol):
    """What the runtime tells a context about its message, and does for it."""

    trace_id: str
    headers: Mapping[str, str]
    is_async: bool
    """Whether the node's function is."""

    def remaining_s(self) -> float | None:
        """Seconds until the message's deadline, or None without one."""
        ...

    def is_cancelled(self) -> bool:
        """Whether the input that the message came from was given up."""
        ...

    def destination(self, node: str) -> int:
        """How the way to a node is named, which must be the next node or at the end of a way back."""
        ...

    def patience_s(self) -> float | None:
        """Seconds until this attempt is given up, by the deadline or the node's time-out; None without either."""
        ...

    def run_of(self, flow: Subflow[A, B]) -> Subrun[A, B]:
        """The flow, running in this replica."""
        ...


class _HandedDown(TypedDict):
    timeout_s: float | None
    trace_id: str | None
    headers: Mapping[str, str] | None


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

    def ask(self, flow: Subflow[A, B], value: A) -> B:
        """Ask another flow and wait for its one result: for sync nodes.

        The flow runs in this replica, on the local engine: it is started by the first call that asks it, shared by
        all calls of the node in this replica, and ended with the node. So build it once, outside the function. Trace
        id and headers go along. So does the time that is left of the caller's deadline and of the node's
        `timeout_s`: when it is over, the flow's input is given up.

        Args:
            flow: A `pr.Flow`, of the module, of the function's closure, or of the node's object.
            value: Its input.

        Raises:
            NodeError: A node of that flow failed for good. Not caught, it is the `__cause__` of this node's error.
            NoResult, ManyResults: It gave another number of results than one; see `ask_all`.
            DeadlineExceeded: The time is over.
            FlowError: This node is async; it awaits `aask` instead.
        """
        return self._sync_run(flow).ask(value, **self._handed_down())

    def ask_all(self, flow: Subflow[A, B], value: A) -> list[B]:
        """Ask another flow and wait for all its results, 0 or more; otherwise like `ask`."""
        return self._sync_run(flow).ask_all(value, **self._handed_down())

    async def aask(self, flow: Subflow[A, B], value: A) -> B:
        """Twin of `ask` for async nodes. When the node's call is cancelled, the flow's input is given up."""
        return await self._facts.run_of(flow).aask(value, **self._handed_down())

    async def aask_all(self, flow: Subflow[A, B], value: A) -> list[B]:
        """Twin of `ask_all` for async nodes."""
        return await self._facts.run_of(flow).aask_all(value, **self._handed_down())

    def _sync_run(self, flow: Subflow[A, B]) -> Subrun[A, B]:
        if self._facts.is_async:
            raise FlowError(
                f"node {self.node!r} is async: use `await ctx.aask(...)`, since ctx.ask(...) would hold up the other "
                f"calls of its replica",
                node=self.node,
            )
        return self._facts.run_of(flow)

    def _handed_down(self) -> _HandedDown:
        return {"timeout_s": self._facts.patience_s(), "trace_id": self.trace_id, "headers": self.headers}

    @property
    def is_cancelled(self) -> bool:
        """Whether nobody wants the result any more: cancelled, or given up by who asked. Async code is cancelled then.

        Sync code cannot be: one that takes long may ask now and then, and return. What it gives is dropped.
        """
        return self._facts.is_cancelled()

    def emit(self, value: Any, *, to: Any = None, key: Key | None = None) -> None:
        """Give one more output message, before what the function returns; never waits.

        Args:
            value: The message.
            to: The one node that gets it: a node that this one leads to, by an edge or a way back, or its name. None:
                all that this one's messages go to, ways back left out unless its type takes one.
            key: Keeps order. Messages that one replica of this node gives with equal keys go to one and the same
                replica of the next node, which works on them one at a time, in the order in which they were given;
                its retries of one hold up the next. Other keys, and messages without one, overtake them. A text,
                bytes, a whole number, or a tuple of these.

        Raises:
            NodeError: The call has emitted 1,000 messages; make the node a generator instead.
            FlowError: `to` is no such node.
            TypeError: That cannot be a key.
        """
        if len(self._emitted) >= EMIT_LIMIT:
            raise NodeError(
                f"node {self.node!r}: emitted more than {EMIT_LIMIT} messages in one call; make it a generator, "
                f"whose messages leave as they are yielded"
            )
        if to is not None or key is not None:
            destination = None if to is None else self._facts.destination(_name_of(to))
            value = Routed(destination, value, None if key is None else key_hash(key))
        self._emitted.append(value)

    def emitted(self) -> list[Any]:
        """What the call has emitted so far, in order."""
        return self._emitted


def _name_of(node: Any) -> str:
    return node if isinstance(node, str) else getattr(node, "name", repr(node))
