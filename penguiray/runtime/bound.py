"""A node in a replica: its object built, its function ready to be called with a message."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import dataclass
from types import AsyncGeneratorType, GeneratorType, MappingProxyType
from typing import Any, get_origin

from penguiray.clock import Clock
from penguiray.errors import FlowError
from penguiray.graph.context import Context
from penguiray.graph.spec import NodeSpec
from penguiray.graph.subflow import Subflow, Subrun
from penguiray.graph.types import is_checked
from penguiray.graph.values import Routed
from penguiray.link.ids import trace_id_of
from penguiray.link.message import Facts, Hops
from penguiray.link.report import NodeCount
from penguiray.runtime.backoff import RetryBudget
from penguiray.runtime.cancelled import Cancelled
from penguiray.runtime.executor import Executor
from penguiray.runtime.permits import Permit, Permits
from penguiray.runtime.running import RunningCalls
from penguiray.runtime.shedding import Shedding
from penguiray.runtime.subflows import Subflows

__all__ = ["BoundNode", "Item"]

_GENERATORS = frozenset({GeneratorType, AsyncGeneratorType})


@dataclass(slots=True)
class Item:
    """What one call is about: one message, or the messages of a batch."""

    root: int
    """Root of the message; of a batch's first."""
    message_id: int
    """Id of the message in this stage; of a batch's first."""
    value: Any
    """What the node is given: the value, or the batch as a list."""
    facts: Facts | None = None
    """What the caller said about it; of a batch's first."""
    deadline: float | None = None
    """When the caller's patience ends; a batch has none of its own."""
    sent: int = 0
    """Outputs that earlier attempts have sent already: a further attempt leaves those out."""
    hops: Hops | None = None
    """Back edges that the message's ancestors took, if any."""
    destinations: dict[int, int] | None = None
    """Where its outputs went that were sent somewhere in particular, by their index."""
    is_pausing: bool = False
    """Whether it waits for its next attempt."""
    raised: Exception | None = None
    """What a first attempt outside the policy stack has raised; the stack's first attempt raises it again."""
    source: int = -1
    """The stage that it came from, where a join wants to know; -1: the caller."""
    permit: Permit | None = None
    """What the call needs of the node's rate, where it has one; told when the function is called."""


class _CallFacts:
    """What a context may know of its message and of the attempt that begins now."""

    __slots__ = (
        "_cancelled", "_clock", "_deadline", "_destinations", "_root", "_subflows", "_until", "headers", "is_async",
        "trace_id",
    )  # fmt: skip

    def __init__(self, item: Item, node: BoundNode, epoch: int, clock: Clock) -> None:
        self._cancelled = node.cancelled
        self._root = item.root
        self._destinations = node.destinations
        facts, timeout_s = item.facts, node.spec.options.timeout_or_none
        self.trace_id = facts.trace_id if facts and facts.trace_id else trace_id_of(epoch, item.root)
        self.headers: Mapping[str, str] = MappingProxyType(dict(facts.headers) if facts else {})
        self.is_async = node.spec.signature.is_async
        self._deadline = item.deadline
        self._until = None if timeout_s is None else clock.now() + timeout_s
        self._clock = clock
        self._subflows = node.subflows

    def remaining_s(self) -> float | None:
        """Seconds until the deadline."""
        return None if self._deadline is None else self._deadline - self._clock.now()

    def is_cancelled(self) -> bool:
        """Whether the input was given up."""
        return self._cancelled.has_any and self._root in self._cancelled

    def destination(self, node: str) -> int:
        """How the way to a node is named."""
        try:
            return self._destinations[node]
        except KeyError:
            known = ", ".join(map(repr, self._destinations)) or "none"
            raise FlowError(f"ctx.emit(to={node!r}): this node leads to {known}", node=node) from None

    def patience_s(self) -> float | None:
        """Seconds until this attempt is given up."""
        ends = [end for end in (self._deadline, self._until) if end is not None]
        return max(0.0, min(ends) - self._clock.now()) if ends else None

    def run_of(self, flow: Subflow[Any, Any]) -> Subrun[Any, Any]:
        """The flow, running in this replica."""
        return self._subflows.run_of(flow)


class BoundNode:
    """One node of a replica's stage."""

    __slots__ = (
        "_clock", "_context", "_epoch", "_target", "budget", "cancelled", "count", "destinations", "function",
        "gives_lists", "permits", "running", "shedding", "spec", "subflows",
    )  # fmt: skip

    def __init__(
        self,
        spec: NodeSpec,
        *,
        epoch: int,
        clock: Clock,
        destinations: Mapping[str, int],
        cancelled: Cancelled,
        count: NodeCount | None = None,
        permits: Permits | None = None,
    ) -> None:
        """Prepare; `open` builds it.

        Args:
            spec: The node.
            epoch: Epoch of the run.
            clock: Where time comes from.
            destinations: Nodes that its messages may be sent to, each with the name of the way.
            cancelled: Inputs that were given up.
            count: What it did so far. None: nothing.
            permits: Permits to begin calls, where the node has a rate.
        """
        self.spec = spec
        self.destinations = destinations
        self.count = NodeCount() if count is None else count
        """What it did so far."""
        retry = spec.options.retry_or_none
        self.budget = None if retry is None else RetryBudget(retry)
        self.subflows = Subflows(spec.name)
        """Flows that the node asks."""
        self.running = RunningCalls(spec.name, is_batch=bool(spec.options.batch), epoch=epoch, clock=clock)
        """Its calls that are under way."""
        self.shedding = Shedding(spec.name)
        """Which messages with a deadline are not begun."""
        self.cancelled = cancelled
        """Inputs that were given up."""
        self.permits = permits
        """Permits to begin calls, where the node has a rate."""
        self._epoch = epoch
        self._clock = clock
        self._context = spec.signature.context
        self._target: Any = None
        self.function: Any = None
        """What is called with a bare value; a node that wants a context needs `call`. None: its object is not built."""
        self.gives_lists = self._context is not None or spec.kind == "route"
        """Whether it may give several messages for one, or say where they go, without being a generator."""

    async def set_up_host(self, executor: Executor) -> None:
        """Call the class's `setup_host()`, if it has one, with what its constructor will be given."""
        if self.spec.has_host_setup:
            arguments, keywords = self.spec.arguments
            await _call_if_there(self.spec.code.target, "setup_host", executor, *arguments, **keywords)

    async def open(self, executor: Executor) -> None:
        """Build a class's object and call its `setup()`; sync code runs where its calls will run."""
        target = self.spec.code.target
        if self.spec.kind == "class":
            arguments, keywords = self.spec.arguments
            target = await executor.call(lambda: self.spec.code.target(*arguments, **keywords))
            await _call_if_there(target, "setup", executor)
        self._target = _chooser(target) if self.spec.kind == "route" else target
        self.function = _guarded(self.spec, _validated(self.spec, self._target))

    async def close(self, executor: Executor) -> None:
        """Call the object's `close()` if it has one, and end the flows that the node has asked."""
        try:
            if self.spec.kind == "class" and self._target is not None:
                await _call_if_there(self._target, "close", executor)
        finally:
            await self.subflows.close()

    @property
    def is_open(self) -> bool:
        """Whether its object is built."""
        return self.function is not None

    @property
    def gives_at_end(self) -> bool:
        """Whether a generator's outputs wait for its end: another attempt may follow, and give others."""
        options = self.spec.options
        return options.deterministic is False and options.retry_or_none is not None

    def call(self, item: Item, context: Context | None) -> Any:
        """Call the function: gives what it returns, which for async code is still to be awaited or iterated."""
        if item.permit is not None:
            item.permit.use()
        if self._context is None:
            return self.function(item.value)
        return self.function(item.value, **{self._context: context})

    def context(self, item: Item, attempt: int) -> Context | None:
        """A context for one attempt, where the function wants one."""
        if self._context is None:
            return None
        facts = _CallFacts(item, self, self._epoch, self._clock)
        return Context(facts, node=self.spec.name, message_id=item.message_id, attempt=attempt)


def _validated(spec: NodeSpec, target: Any) -> Any:
    """The function with pydantic's check before it, where the node asks for one."""
    if not (spec.options.validate and is_checked(spec.signature.input_type)):
        return target
    from pydantic import TypeAdapter  # noqa: PLC0415 - only nodes that ask for it need it

    wanted = list[spec.signature.input_type] if spec.options.batch else spec.signature.input_type  # type: ignore[name-defined]
    check = TypeAdapter(wanted).validate_python
    return lambda value, **context: target(check(value), **context)


def _guarded(spec: NodeSpec, function: Any) -> Any:
    """The function with a look at what it returns, where that may be a generator; an annotated node has no such look.

    A generator would be one message, which no process could be sent.
    """
    if not _may_give_generator(spec):
        return function
    if not spec.signature.is_async:
        return lambda value, **context: _no_generator(function(value, **context), spec)

    async def checked(value: Any, **context: Any) -> Any:
        return _no_generator(await function(value, **context), spec)

    return checked


def _may_give_generator(spec: NodeSpec) -> bool:
    """Whether the function could return a generator by its annotation, and is not taken for one that gives several."""
    if spec.kind not in {"function", "class"} or spec.options.batch or spec.signature.is_stream:
        return False
    gives = spec.signature.output_type
    return not is_checked(gives) or gives is object or get_origin(gives) in {Iterable, AsyncIterable}


def _no_generator(returned: Any, spec: NodeSpec) -> Any:
    if type(returned) not in _GENERATORS:
        return returned
    unknown, is_async = spec.signature.unresolved_output, type(returned) is AsyncGeneratorType
    why = f", whose annotation {unknown!r} cannot be resolved," if unknown else ""
    form = "AsyncIterator" if is_async else "Iterator"
    annotate = "" if spec.signature.is_async and not is_async else f"annotate it `-> {form}[...]`, or "
    raise TypeError(
        f"the function{why} returned {'an async' if is_async else 'a'} generator: {annotate}let the function yield "
        f"itself, so that each item becomes a message"
    )


def _chooser(predicates: tuple[Any, ...]) -> Any:
    def choose(value: Any) -> Routed:
        for branch, predicate in enumerate(predicates):
            if predicate(value):
                return Routed(branch, value)
        raise ValueError(f"no branch takes this message, a {type(value).__name__}; add one, or a default=")

    return choose


async def _call_if_there(target: Any, method: str, executor: Executor, *arguments: Any, **keywords: Any) -> None:
    function = getattr(target, method, None)
    if function is None:
        return
    if inspect.iscoroutinefunction(function):
        await function(*arguments, **keywords)
    else:
        await executor.call(lambda: function(*arguments, **keywords))
