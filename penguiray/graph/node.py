"""Nodes and graphs as the user handles them: immutable values that `>>` joins into new ones."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Generic, ParamSpec, Self, TypeVar, overload

from penguiray.draw.amounts import counted
from penguiray.draw.html import lines, scrolled
from penguiray.draw.svg import svg_of
from penguiray.draw.text import escaped
from penguiray.errors import FlowError
from penguiray.graph.code import by_name
from penguiray.graph.picture import diagram_of
from penguiray.graph.spec import NodeSpec, Shape
from penguiray.graph.written import written

__all__ = ["ActorNode", "FunctionNode", "GatherNode", "Graph", "Node", "as_graph", "fan"]

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
I_contra = TypeVar("I_contra", contravariant=True)
O_co = TypeVar("O_co", covariant=True)
I = TypeVar("I")  # noqa: E741 - the input of a graph, as everywhere in this package
M = TypeVar("M")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


class Graph(Generic[I_contra, O_co]):
    """Nodes joined by edges: messages of type I enter at its sources, messages of type O leave at its ends.

    `a >> b` is a new graph and leaves both as they were. Every successor gets every message: `a >> (b, c) >> d` sends
    each message of `a` to both `b` and `c`, and what both give to `d`.
    """

    __slots__ = ("_shape",)

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    @property
    def shape(self) -> Shape:
        """Nodes, edges, sources and ends."""
        return self._shape

    @overload
    def __rshift__(self: Graph[I, M | None], other: GatherNode, /) -> Graph[I, list[M]]: ...
    @overload
    def __rshift__(self, other: Graph[O_co, A], /) -> Graph[I_contra, A]: ...
    @overload
    def __rshift__(self: Graph[I, M | None], other: Graph[M, A], /) -> Graph[I, A]: ...
    @overload
    def __rshift__(self: Graph[I, M | None], other: tuple[Graph[M, A], Graph[M, B]], /) -> Graph[I, A | B]: ...
    @overload
    def __rshift__(
        self: Graph[I, M | None], other: tuple[Graph[M, A], Graph[M, B], Graph[M, C]], /
    ) -> Graph[I, A | B | C]: ...
    @overload
    def __rshift__(
        self: Graph[I, M | None], other: tuple[Graph[M, A], Graph[M, B], Graph[M, C], Graph[M, D]], /
    ) -> Graph[I, A | B | C | D]: ...
    @overload
    def __rshift__(self: Graph[I, M | None], other: Sequence[Graph[M, A]], /) -> Graph[I, A]: ...
    def __rshift__(self, other: Any, /) -> Graph[Any, Any]:
        """Join every end of this graph to every source of the other."""
        return Graph(self._shape.before(as_graph(other).shape))

    def __rrshift__(self, other: Sequence[Graph[I, I_contra]], /) -> Graph[I, O_co]:
        """Let `(a, b) >> c` mean `pr.fan(a, b) >> c`."""
        return Graph(as_graph(other).shape.before(self._shape))

    def _repr_html_(self) -> str:
        """What a notebook shows: a drawing."""
        return lines(escaped(self._caption()), scrolled(svg_of(diagram_of(self._shape, self._caption()))))

    def _caption(self) -> str:
        return f"graph of {counted(len(self._shape.nodes), 'node')}"

    def __repr__(self) -> str:
        return f"<Graph {written(self._shape)}>"


def as_graph(value: Any, taker: str = "`>>` joins") -> Graph[Any, Any]:
    """What was given where a graph is wanted: a graph, or a tuple or list of graphs side by side.

    Raises:
        FlowError: It is something else; says what to write, with the words of who takes it.
    """
    if isinstance(value, Graph):
        return value
    if isinstance(value, tuple | list) and value:
        return fan(*value)
    if isinstance(value, ActorNode):
        raise FlowError(f"{value!r} is not built yet: write {value.name}(...) with its constructor's arguments")
    if isinstance(value, type):
        raise FlowError(f"{value.__name__} is a plain class: make it a node with pr.actor(...)({value.__name__}) first")
    if callable(value):
        name = getattr(value, "__name__", repr(value))
        raise FlowError(f"{name} is a plain function: decorate it with @pr.node first")
    raise FlowError(f"{taker} nodes, graphs and tuples of them, not {value!r}")


@overload
def fan(first: Graph[I, A], /) -> Graph[I, A]: ...
@overload
def fan(first: Graph[I, A], second: Graph[I, B], /) -> Graph[I, A | B]: ...
@overload
def fan(first: Graph[I, A], second: Graph[I, B], third: Graph[I, C], /) -> Graph[I, A | B | C]: ...
@overload
def fan(*graphs: Graph[I, A]) -> Graph[I, A]: ...
def fan(*graphs: Graph[Any, Any]) -> Graph[Any, Any]:
    """Put graphs side by side: `pr.fan(a, b) >> (c, d)`. Each takes every message; the ends of all are the ends."""
    if not graphs:
        raise FlowError("pr.fan() needs at least one node or graph")
    shape = as_graph(graphs[0]).shape
    for graph in graphs[1:]:
        shape = shape.beside(as_graph(graph).shape)
    return Graph(shape)


class Node(Graph[I_contra, O_co]):
    """A graph of one node."""

    __slots__ = ("_spec",)

    def __init__(self, spec: NodeSpec) -> None:
        super().__init__(Shape((spec,), (), (spec,), (spec,)))
        self._spec = spec

    @property
    def name(self) -> str:
        """Name of the node in its flow."""
        return self._spec.name

    @property
    def spec(self) -> NodeSpec:
        """The node as data."""
        return self._spec

    def options(self, **changes: Any) -> Self:
        """The same code as another node, with other options.

        Args:
            **changes: Fields of `pr.NodeOptions`, for instance `name=`, `replicas=`, `fuse=False`.

        Raises:
            FlowError: An option is unknown or out of range.
        """
        return self._with_spec(
            self._spec.with_options(self._spec.options.updated(f"node {self._spec.name!r}", **changes))
        )

    def _with_spec(self, spec: NodeSpec) -> Self:
        return type(self)(spec)

    def _caption(self) -> str:
        return f"node {self.name} from {self._spec.where}"

    def __repr__(self) -> str:
        return f"<Node {self.name} from {self._spec.where}>"


class GatherNode(Node[Any, list[Any]]):
    """A join that takes messages of whatever type leads to it; a class of its own so that type checkers keep that."""

    __slots__ = ()


class FunctionNode(Node[I_contra, O_co], Generic[P, R_co, I_contra, O_co]):
    """A node made of a function, which can still be called directly."""

    def __init__(self, spec: NodeSpec) -> None:
        super().__init__(spec)
        self.__wrapped__: Callable[P, R_co] = spec.code.target
        for attribute in ("__doc__", "__module__", "__name__", "__qualname__"):
            setattr(self, attribute, getattr(spec.code.target, attribute, None))

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function itself, with no flow around it."""
        return self.__wrapped__(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        # By state and not by arguments: the function may name its own node, and pickle must have that one before.
        return by_name(self) or (FunctionNode.__new__, (FunctionNode,), (self._spec, self.__dict__))

    def __setstate__(self, state: tuple[NodeSpec, dict[str, Any]]) -> None:
        self._spec, attributes = state
        self._shape = Shape((self._spec,), (), (self._spec,), (self._spec,))
        self.__dict__.update(attributes)


class ActorNode(Generic[P, I_contra, O_co]):
    """A node class that waits for its constructor's arguments: `embed("small")` is the node."""

    def __init__(self, blank: NodeSpec) -> None:
        self._blank = blank
        self.__wrapped__: type = blank.code.target
        for attribute in ("__doc__", "__module__", "__name__", "__qualname__"):
            setattr(self, attribute, getattr(blank.code.target, attribute, None))

    @property
    def name(self) -> str:
        """Name that the node will have."""
        return self._blank.name

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Node[I_contra, O_co]:
        """Make the node; the class is built with these arguments in each replica, not here.

        Raises:
            FlowError: The constructor does not take these arguments.
        """
        blank = self._blank
        self._check_arguments(args, kwargs)
        return Node(
            NodeSpec(
                blank.name, blank.kind, blank.code, blank.signature, blank.options, blank.where, (args, dict(kwargs))
            )
        )

    def _check_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Refuse arguments that the constructor surely does not take; not every class says what it takes."""
        if hasattr(self.__wrapped__, "__signature__"):  # written for readers, as pydantic's: it may leave things out
            return
        try:  # a wrapped constructor's own arguments are what its wrapper takes: that may add some by itself
            signature = inspect.signature(self.__wrapped__, follow_wrapped=False)
        except (TypeError, ValueError):
            return
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            empty = inspect.Parameter.empty
            bare = [one.replace(annotation=empty, default=empty) for one in signature.parameters.values()]
            raise FlowError(
                f"node {self.name!r} ({self._blank.where}): the class {self.__wrapped__.__name__} cannot be built with "
                f"these arguments: {error}; its constructor takes {inspect.Signature(bare)}",
                node=self.name,
            ) from None

    def options(self, **changes: Any) -> Self:
        """The same class with other options; see `Node.options`."""
        return type(self)(
            self._blank.with_options(self._blank.options.updated(f"node {self._blank.name!r}", **changes))
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return by_name(self) or (ActorNode.__new__, (ActorNode,), self.__dict__)

    def __repr__(self) -> str:
        return f"<ActorNode {self.name} from {self._blank.where}>"
