"""`@pr.node` and `pr.actor(...)`: from a user's function or class to a node, with its types kept."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, ParamSpec, TypedDict, TypeVar, Unpack, overload

from penguiray.errors import FlowError
from penguiray.graph.code import Code, describe
from penguiray.graph.context import Context
from penguiray.graph.node import ActorNode, FunctionNode
from penguiray.graph.policies import Batch, NodeOptions, Rate, Retry
from penguiray.graph.signature import read_signature
from penguiray.graph.spec import NodeSpec
from penguiray.graph.values import Many

__all__ = ["actor", "node"]

P = ParamSpec("P")
I = TypeVar("I")  # noqa: E741 - the input of a node, as everywhere in this package
O = TypeVar("O")  # noqa: E741 - the output of a node
A = TypeVar("A", bound=Any)
"""A whole batch as columns: pyarrow.Table or numpy.ndarray."""

Entries = Sequence[O | Many[O] | None]


class _Options(TypedDict, total=False):
    """Options of `pr.NodeOptions` that do not change a node's types."""

    name: str
    num_cpus: float
    num_gpus: float
    memory: int
    resources: Mapping[str, float]
    label_selector: Mapping[str, str]
    runtime_env: Mapping[str, Any]
    replicas: int | tuple[int, int]
    concurrency: int | Literal["auto"]
    retry: Retry
    idempotent: bool
    timeout_s: float
    rate: Rate
    delivery: Literal["at_least_once", "at_most_once"]
    deterministic: bool
    fuse: bool
    validate: bool


class _Declarer:
    """Holds the options that were given so far."""

    __slots__ = ("_options",)

    def __init__(self, options: NodeOptions | None = None) -> None:
        self._options = options or NodeOptions()

    def _extended(self, options: dict[str, Any]) -> NodeOptions:
        return self._options.updated("options", **options)


class NodeDecorator(_Declarer):
    """Makes a node of a function: `@pr.node`, or with options `@pr.node(retry=pr.Retry())`.

    A function that returns gives one message, or none for None. A generator gives 0..n, each sent when it is yielded.
    An async function runs many calls at a time in one replica. A second parameter annotated `pr.Context` is given the
    call's context. With `batch=pr.Batch(...)` the function takes a list and returns one entry per input; `batch="auto"`
    finds how many messages a call it is quickest with.

    The options, `num_cpus`, `replicas`, `concurrency`, `timeout_s` and others, are those of `pr.NodeOptions`.

    Raises:
        FlowError: The function cannot be called with one message, or an option is unknown or out of range.
    """

    __slots__ = ()

    @overload
    def __call__(self, *, batch: Batch | Literal["auto"], **options: Unpack[_Options]) -> BatchNodeDecorator: ...
    @overload
    def __call__(self, **options: Unpack[_Options]) -> NodeDecorator: ...
    @overload
    def __call__(self, function: Callable[[I], AsyncIterator[O]], /) -> FunctionNode[[I], AsyncIterator[O], I, O]: ...
    @overload
    def __call__(
        self, function: Callable[[I, Context], AsyncIterator[O]], /
    ) -> FunctionNode[[I, Context], AsyncIterator[O], I, O]: ...
    @overload
    def __call__(self, function: Callable[[I], Iterator[O]], /) -> FunctionNode[[I], Iterator[O], I, O]: ...
    @overload
    def __call__(
        self, function: Callable[[I, Context], Iterator[O]], /
    ) -> FunctionNode[[I, Context], Iterator[O], I, O]: ...
    @overload
    def __call__(self, function: Callable[[I], Awaitable[O]], /) -> FunctionNode[[I], Awaitable[O], I, O]: ...
    @overload
    def __call__(
        self, function: Callable[[I, Context], Awaitable[O]], /
    ) -> FunctionNode[[I, Context], Awaitable[O], I, O]: ...
    @overload
    def __call__(self, function: Callable[[I], O], /) -> FunctionNode[[I], O, I, O]: ...
    @overload
    def __call__(self, function: Callable[[I, Context], O], /) -> FunctionNode[[I, Context], O, I, O]: ...
    def __call__(self, function: Any = None, /, **options: Any) -> Any:  # type: ignore[misc]  # mypy does not see that `**options` takes a TypedDict's keys
        """Declare a node, or gather options for it."""
        extended = self._extended(options)
        if function is None:
            return (BatchNodeDecorator if extended.batch else NodeDecorator)(extended)
        return FunctionNode(_function_spec(function, extended))


class BatchNodeDecorator(_Declarer):
    """`@pr.node(batch=...)`: the function takes a list, an Arrow table or a numpy array."""

    __slots__ = ()

    @overload
    def __call__(
        self, function: Callable[[list[I]], Awaitable[Entries[O]]], /
    ) -> FunctionNode[[list[I]], Awaitable[Entries[O]], I, O]: ...
    @overload
    def __call__(
        self, function: Callable[[list[I], Context], Awaitable[Entries[O]]], /
    ) -> FunctionNode[[list[I], Context], Awaitable[Entries[O]], I, O]: ...
    @overload
    def __call__(self, function: Callable[[list[I]], Entries[O]], /) -> FunctionNode[[list[I]], Entries[O], I, O]: ...
    @overload
    def __call__(
        self, function: Callable[[list[I], Context], Entries[O]], /
    ) -> FunctionNode[[list[I], Context], Entries[O], I, O]: ...
    @overload
    def __call__(self, function: Callable[[A], Any], /) -> FunctionNode[[A], Any, Any, Any]: ...
    def __call__(self, function: Any, /) -> Any:
        """Declare the node."""
        return FunctionNode(_function_spec(function, self._options))


class ActorDecorator(_Declarer):
    """Makes a node of a class: `embed = pr.actor(num_gpus=0.25)(Embed)`, and then `embed("small")` in a flow.

    The class stays a plain class that a test can build and call. Each replica builds it once, calls its `setup()`
    if it has one, calls the object for every message, and its `close()` at the end; both may be async. What the
    object keeps between calls is a cache: a replica may vanish.

    On Ray, arguments above the flow's `inline_limit_bytes` are sent once per run for all replicas, and large arrays in
    them are read-only: the replicas of a host share them.

    A classmethod or staticmethod `setup_host`, if the class has one, is called with the constructor's arguments once on
    each host, sync or async, before any replica is built there: the place to download a model for all of them. It
    may be cut off when the run is stopped, and is called again by the next run.

    The options are those of `pr.NodeOptions`.

    Raises:
        FlowError: The class has no `__call__` for one message, its `setup_host` needs an object, or an option is
            unknown or out of range.
    """

    __slots__ = ()

    @overload
    def __call__(self, *, batch: Batch | Literal["auto"], **options: Unpack[_Options]) -> BatchActorDecorator: ...
    @overload
    def __call__(self, **options: Unpack[_Options]) -> ActorDecorator: ...
    @overload
    def __call__(self, cls: Callable[P, Callable[[I], AsyncIterator[O]]], /) -> ActorNode[P, I, O]: ...
    @overload
    def __call__(self, cls: Callable[P, Callable[[I, Context], AsyncIterator[O]]], /) -> ActorNode[P, I, O]: ...
    @overload
    def __call__(self, cls: Callable[P, Callable[[I], Iterator[O]]], /) -> ActorNode[P, I, O]: ...
    @overload
    def __call__(self, cls: Callable[P, Callable[[I, Context], Iterator[O]]], /) -> ActorNode[P, I, O]: ...
    @overload
    def __call__(self, cls: Callable[P, Callable[[I], Awaitable[O]]], /) -> ActorNode[P, I, O]: ...
    @overload
    def __call__(self, cls: Callable[P, Callable[[I, Context], Awaitable[O]]], /) -> ActorNode[P, I, O]: ...
    @overload
    def __call__(self, cls: Callable[P, Callable[[I], O]], /) -> ActorNode[P, I, O]: ...
    @overload
    def __call__(self, cls: Callable[P, Callable[[I, Context], O]], /) -> ActorNode[P, I, O]: ...
    def __call__(self, cls: Any = None, /, **options: Any) -> Any:  # type: ignore[misc]  # as above
        """Declare a class node, or gather options for it."""
        extended = self._extended(options)
        if cls is None:
            return (BatchActorDecorator if extended.batch else ActorDecorator)(extended)
        return ActorNode(_class_spec(cls, extended))


class BatchActorDecorator(_Declarer):
    """`pr.actor(batch=...)(Class)`: the object is called with a list, an Arrow table or a numpy array."""

    __slots__ = ()

    @overload
    def __call__(self, cls: Callable[P, Callable[[list[I]], Awaitable[Entries[O]]]], /) -> ActorNode[P, I, O]: ...
    @overload
    def __call__(
        self, cls: Callable[P, Callable[[list[I], Context], Awaitable[Entries[O]]]], /
    ) -> ActorNode[P, I, O]: ...
    @overload
    def __call__(self, cls: Callable[P, Callable[[list[I]], Entries[O]]], /) -> ActorNode[P, I, O]: ...
    @overload
    def __call__(self, cls: Callable[P, Callable[[list[I], Context], Entries[O]]], /) -> ActorNode[P, I, O]: ...
    @overload
    def __call__(self, cls: Callable[P, Callable[[A], Any]], /) -> ActorNode[P, Any, Any]: ...
    def __call__(self, cls: Any, /) -> Any:
        """Declare the class node."""
        return ActorNode(_class_spec(cls, self._options))


node = NodeDecorator()
actor = ActorDecorator()


def _function_spec(function: Any, options: NodeOptions) -> NodeSpec:
    if isinstance(function, type):
        raise FlowError(f"{function.__name__} is a class: make it a node with pr.actor(...)({function.__name__})")
    if not callable(function):
        raise FlowError(f"pr.node needs a function, not {function!r}")
    name = options.name or getattr(function, "__name__", type(function).__name__)
    target = function if inspect.isroutine(function) else type(function).__call__
    signature = read_signature(target, batched=bool(options.batch), owner=name)
    return NodeSpec(name, "function", Code(function), signature, options, describe(target))


def _class_spec(cls: Any, options: NodeOptions) -> NodeSpec:
    if not isinstance(cls, type):
        raise FlowError(f"pr.actor needs a class, not {cls!r}; functions become nodes with @pr.node")
    name = options.name or cls.__name__
    if "__call__" not in dir(cls):
        raise FlowError(f"class {name!r} ({describe(cls)}) has no __call__: give it one that takes a message")
    if not isinstance(inspect.getattr_static(cls, "setup_host", None), classmethod | staticmethod | None):
        raise FlowError(
            f"class {name!r} ({describe(cls)}): setup_host is called before there is an object; make it a @classmethod "
            f"that takes what the constructor takes"
        )
    signature = read_signature(cls.__call__, batched=bool(options.batch), owner=name)
    return NodeSpec(name, "class", Code(cls), signature, options, describe(cls))
