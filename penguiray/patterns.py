"""Ready nodes: choose a branch by predicate or by type, gather what belongs together, and sum up the whole input."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from types import GenericAlias
from typing import Any, Literal, TypeVar, Union, get_origin, overload

from penguiray.errors import FlowError
from penguiray.graph.code import Code, called_from, describe
from penguiray.graph.node import GatherNode, Graph, Node
from penguiray.graph.policies import NodeOptions
from penguiray.graph.signature import Signature, read_signature
from penguiray.graph.spec import JoinRule, NodeSpec, Shape
from penguiray.graph.types import accepts, show, union_members

__all__ = ["fold", "join", "route", "switch"]

I = TypeVar("I")  # noqa: E741 - the input of a graph, as everywhere in this package
O = TypeVar("O")  # noqa: E741 - the output of a graph
S = TypeVar("S")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
P = TypeVar("P")
Q = TypeVar("Q")

_ANY = inspect.Parameter.empty


def route(
    *branches: tuple[Callable[[I], bool], Graph[I, O]], default: Graph[I, O] | None = None, name: str = "route"
) -> Graph[I, O]:
    """Send each message down the first branch whose predicate is true.

    Args:
        *branches: Pairs of a predicate and the graph that takes what it accepts.
        default: Takes what no predicate accepts. None: such a message is an error of this node.
        name: Name of the choosing node in the flow.

    Raises:
        FlowError: There is no branch, or a branch is no pair.
    """
    if not branches:
        raise FlowError("pr.route needs at least one pair (predicate, graph)")
    for branch in branches:
        if not (isinstance(branch, tuple) and len(branch) == 2 and callable(branch[0])):
            raise FlowError(f"pr.route takes pairs (predicate, graph), not {branch!r}")
    predicates = tuple(predicate for predicate, _ in branches)
    graphs = [graph for _, graph in branches]
    if default is not None:
        predicates, graphs = (*predicates, _otherwise), [*graphs, default]
    for predicate in predicates:
        _require_sync(predicate, f"pr.route {name!r}: a predicate")
    read = read_signature(predicates[0], batched=False, owner=name)
    takes, unknown = read.input_type, read.unresolved_input
    signature = Signature(False, False, None, takes, takes, "list", unknown, unknown)
    spec = NodeSpec(name, "route", Code(predicates), signature, NodeOptions(name=name), describe(predicates[0]))
    return _branched(spec, graphs)


def _branched(spec: NodeSpec, graphs: Sequence[Graph[Any, Any]]) -> Graph[Any, Any]:
    """The choosing node, joined to each graph by a branch of its number."""
    start = Shape((spec,), (), (spec,), (spec,))
    shape = start.before(graphs[0].shape, branch=0)
    for number, graph in enumerate(graphs[1:], start=1):
        shape = shape.beside(start.before(graph.shape, branch=number))
    return Graph(shape)


class _Otherwise:
    """Takes every message."""

    branch_name = "default"

    def __call__(self, _message: object) -> bool:
        return True


_otherwise = _Otherwise()


@dataclass(frozen=True, slots=True)
class IsA:
    """Whether a message is of one of these classes."""

    classes: tuple[type, ...]

    @property
    def branch_name(self) -> str:
        """What the branch is called."""
        return " | ".join(show(cls) for cls in self.classes)

    def __call__(self, message: object) -> bool:
        return isinstance(message, self.classes)


def _switch_test(annotation: Any, graph: Graph[Any, Any], before: Sequence[IsA], name: str) -> IsA:
    classes = tuple(get_origin(member) or member for member in union_members(annotation))
    for cls in classes:
        if not isinstance(cls, type):
            raise FlowError(f"pr.switch {name!r}: a branch is chosen by a class or a union of classes, not {cls!r}")
    if all(any(issubclass(cls, test.classes) for test in before) for cls in classes):
        raise FlowError(
            f"pr.switch {name!r}: nothing can reach the branch for {show(annotation)}, since branches before it take "
            f"that already; put the narrower type first"
        )
    for source in graph.shape.sources:
        if not accepts(source.signature.input_type, annotation):
            raise FlowError(
                f"pr.switch {name!r}: the branch for {show(annotation)} leads to {source.name!r} ({source.where}), "
                f"which takes {show(source.signature.input_type)}",
                node=source.name,
            )
    return IsA(classes)


@overload
def switch(
    first: tuple[type[A], Graph[A, O]], second: tuple[type[B], Graph[B, P]], /, *, name: str = "switch"
) -> Graph[A | B, O | P]: ...
@overload
def switch(
    first: tuple[type[A], Graph[A, O]],
    second: tuple[type[B], Graph[B, P]],
    third: tuple[type[C], Graph[C, Q]],
    /,
    *,
    name: str = "switch",
) -> Graph[A | B | C, O | P | Q]: ...
@overload
def switch(
    *branches: tuple[Any, Graph[Any, O]], default: Graph[Any, O] | None = None, name: str = "switch"
) -> Graph[Any, O]: ...
def switch(
    *branches: tuple[Any, Graph[Any, Any]], default: Graph[Any, Any] | None = None, name: str = "switch"
) -> Graph[Any, Any]:
    """Send each message down the branch of its type: `pr.switch((Page, read), (Link, follow))`.

    The branches must cover the annotated type of what comes in, or the flow is refused when it is built. They are
    tried in order, by `isinstance`.

    Args:
        *branches: Pairs of a class, or a union of classes, and the graph that takes its messages.
        default: Takes what no branch does. None: where annotations do not say what comes in, such a message is an
            error of this node.
        name: Name of the choosing node in the flow.

    Raises:
        FlowError: There is no branch, one is no such pair, its graph takes another type, or it can never be reached.
    """
    if not branches:
        raise FlowError("pr.switch needs at least one pair (type, graph)")
    tests: list[IsA] = []
    for branch in branches:
        if not (isinstance(branch, tuple) and len(branch) == 2 and isinstance(branch[1], Graph)):
            raise FlowError(f"pr.switch {name!r}: takes pairs (type, graph), not {branch!r}")
        tests.append(_switch_test(branch[0], branch[1], tests, name))
    predicates: tuple[Callable[[object], bool], ...] = tuple(tests)
    graphs = [graph for _, graph in branches]
    if default is not None:
        predicates, graphs = (*predicates, _otherwise), [*graphs, default]
    takes = _ANY if default is not None else Union[tuple(annotation for annotation, _ in branches)]  # noqa: UP007
    signature = Signature(False, False, None, takes, _ANY, "list")
    return _branched(
        NodeSpec(name, "route", Code(predicates), signature, NodeOptions(name=name), describe(branches[0][0])), graphs
    )


@overload
def join(
    count: int | None = None,
    *,
    timeout_s: float | None = None,
    incomplete: Literal["fail", "partial"] = "fail",
    name: str = "join",
) -> GatherNode: ...
@overload
def join(
    count: int | None = None,
    *,
    key: Callable[[I], Hashable],
    timeout_s: float | None = None,
    incomplete: Literal["fail", "partial"] = "fail",
    name: str = "join",
) -> Node[I, list[I]]: ...
def join(
    count: int | None = None,
    *,
    key: Callable[[Any], Hashable] | None = None,
    timeout_s: float | None = None,
    incomplete: Literal["fail", "partial"] = "fail",
    name: str = "join",
) -> Node[Any, list[Any]]:
    """Gather messages that belong together into one list: `a >> (b, c) >> pr.join(2)`.

    Without a key the messages of one input belong together, also over branches and loops. With a key those of one
    call of the run (all items of a `map`, say) whose key is equal; they may come from several inputs. The list is in
    the order in which they came, which is not promised. A group never waits for ever: when nothing else is under way
    that could complete it, it ends as it is. What is gathered lives in the memory of one replica.

    Args:
        count: Messages in a list. None: all there are, given when no more can come.
        key: Gives a message's key.
        timeout_s: Longest that a group waits after its first message, in seconds; what comes later is dropped. None:
            no limit.
        incomplete: What becomes of a group that ends with fewer than `count` messages: they fail, with
            `JoinIncomplete` as the cause, or are given as a shorter list.
        name: Name of the node.

    Raises:
        FlowError: `count`, `timeout_s` or `incomplete` is out of range, or the key is no sync function.
    """
    if count is not None and not (isinstance(count, int) and count >= 1):
        raise FlowError(f"pr.join {name!r}: count must be a whole number from 1, not {count!r}")
    if timeout_s is not None and timeout_s <= 0:
        raise FlowError(f"pr.join {name!r}: timeout_s must be above 0, not {timeout_s}")
    if incomplete not in {"fail", "partial"}:
        raise FlowError(f"pr.join {name!r}: incomplete={incomplete!r}: use 'fail' or 'partial'")
    takes, where = _ANY, called_from()
    if key is not None:
        _require_sync(key, f"pr.join {name!r}: key")
        takes = read_signature(key, batched=False, owner=name).input_type
    gives = list if takes is _ANY else GenericAlias(list, takes)
    signature = Signature(False, False, None, takes, gives, "list")
    rule = JoinRule(count, key is not None, timeout_s, incomplete)
    options = NodeOptions(name=name, replicas=1)
    kind = GatherNode if key is None else Node
    return kind(NodeSpec(name, "join", Code(key), signature, options, where, join=rule))


@overload
def fold(
    initial: Callable[[], S], add: Callable[[S, I], S], *, name: str = "fold", memory: int = ...
) -> Node[I, S]: ...
@overload
def fold(
    initial: Callable[[], S],
    add: Callable[[S, I], S],
    finish: Callable[[S], Iterator[O]],
    *,
    name: str = "fold",
    memory: int = ...,
) -> Node[I, O]: ...
@overload
def fold(
    initial: Callable[[], S],
    add: Callable[[S, I], S],
    finish: Callable[[S], O | None],
    *,
    name: str = "fold",
    memory: int = ...,
) -> Node[I, O]: ...
def fold(initial: Any, add: Any, finish: Any = None, *, name: str = "fold", memory: Any = None) -> Node[Any, Any]:
    """Gather all messages of one input, and give what they sum up to when it ends.

    One call of the run is one input: all items of a `map` together, or the message of an `ask`. The input has ended
    when every message of the call is done, so nothing is still on its way here. The sum lives in the memory of one
    replica; if that is lost the call fails, and is never answered with a part of the sum.

    Args:
        initial: Makes an empty sum, for instance `list`. Called once for each input that brings a message here,
            and at its end if none came.
        add: Takes the sum and a message, gives the new sum; may change the sum in place and return it.
        finish: Takes the whole sum, gives one message, none for None, or 0..n if it is a generator. None: the sum is
            the message.
        name: Name of the node.
        memory: Bytes that its replica reserves in Ray. None: nothing is reserved.

    Source: the CombineFn of Apache Beam (create, add, extract).
    """
    for part, function in (("initial", initial), ("add", add), ("finish", finish or _itself)):
        if not callable(function):
            raise FlowError(f"pr.fold {name!r}: {part} must be callable, not {function!r}")
        _require_sync(function, f"pr.fold {name!r}: {part}")
    finish = finish or _itself
    ends = read_signature(finish, batched=False, owner=name)
    signature = Signature(False, ends.is_stream, None, _added_type(add), ends.output_type, "list")
    options = NodeOptions(name=name, replicas=1, **({} if memory is None else {"memory": memory}))
    return Node(NodeSpec(name, "fold", Code((initial, add, finish)), signature, options, describe(add)))


def _require_sync(function: Any, what: str) -> None:
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise FlowError(f"{what} must not be async ({describe(function)}): put an async node before it")


def _itself(total: Any) -> Any:
    return total


def _added_type(add: Any) -> Any:
    try:
        parameters = list(inspect.signature(add, eval_str=True).parameters.values())
    except (TypeError, ValueError, NameError):
        return _ANY
    return parameters[1].annotation if len(parameters) == 2 else _ANY
