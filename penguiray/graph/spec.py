"""The flow as data: what the plan, the engines and the views read. Frozen, and free of any engine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from penguiray.errors import FlowError
from penguiray.graph.code import Code
from penguiray.graph.policies import FlowOptions, NodeOptions
from penguiray.graph.signature import Signature

__all__ = ["Edge", "FlowSpec", "NodeKind", "NodeSpec", "Shape"]

NodeKind = Literal["function", "class", "route", "fold"]
"""A function; a class, built once in each replica; a choice of branches; a sum over the whole input."""


@dataclass(frozen=True, slots=True, eq=False)
class NodeSpec:
    """One node. Two nodes are the same only if they are the same object."""

    name: str
    """Name in the flow and in everything that is reported."""
    kind: NodeKind
    """What `code` holds."""
    code: Code
    """The function or class; for a route the tuple of predicates, for a fold its three functions."""
    signature: Signature
    """What it takes and gives."""
    options: NodeOptions
    """What was said about it."""
    where: str
    """Where the user wrote it, `module:line`."""
    arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
    """Positional and keyword arguments of a class's constructor."""

    @property
    def has_host_setup(self) -> bool:
        """Whether its class has a `setup_host()`, to be called once on each host before anything is built there."""
        return self.kind == "class" and hasattr(self.code.target, "setup_host")

    def with_options(self, options: NodeOptions) -> NodeSpec:
        """The same code as another node, under other options.

        Raises:
            FlowError: A fold was given an option that it cannot have.
        """
        if self.kind == "fold":
            _check_fold(self.name, options)
        return replace(self, options=options, name=options.name or self.name)


def _check_fold(name: str, options: NodeOptions) -> None:
    if options.replicas != 1:
        raise FlowError(f"pr.fold {name!r}: the sum lives in one replica, so replicas={options.replicas!r} cannot be")
    for option in ("batch", "concurrency", "retry", "timeout_s", "rate", "validate"):
        if getattr(options, option):
            raise FlowError(f"pr.fold {name!r}: takes no option {option}; put a node before it that has it")


@dataclass(frozen=True, slots=True)
class Edge:
    """Messages of one node go to another."""

    source: NodeSpec
    """Where the messages come from."""
    target: NodeSpec
    """Where they go."""
    branch: int | None = None
    """Number of the route's branch that this edge belongs to; None: every message takes it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A graph under construction: nodes in the order in which they were written, and the edges between them."""

    nodes: tuple[NodeSpec, ...]
    edges: tuple[Edge, ...]
    sources: tuple[NodeSpec, ...]
    """Nodes that take what enters the graph."""
    ends: tuple[NodeSpec, ...]
    """Nodes whose messages leave the graph."""

    def beside(self, other: Shape) -> Shape:
        """Both graphs, sharing the nodes that they have in common."""
        return Shape(
            _union(self.nodes, other.nodes),
            _union(self.edges, other.edges),
            _union(self.sources, other.sources),
            _union(self.ends, other.ends),
        )

    def before(self, other: Shape, branch: int | None = None) -> Shape:
        """This graph with each of its ends joined to each source of the other."""
        joints = tuple(Edge(end, source, branch) for end in self.ends for source in other.sources)
        both = self.beside(other)
        return Shape(both.nodes, _union(both.edges, joints), self.sources, other.ends)


def _union(mine: tuple[Any, ...], theirs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys((*mine, *theirs)))


@dataclass(frozen=True, slots=True)
class FlowSpec:
    """A checked flow: names unique, edges typed, no cycle."""

    name: str
    shape: Shape
    options: FlowOptions

    def successors(self, node: NodeSpec) -> tuple[Edge, ...]:
        """Edges that leave the node, in the order in which they were written."""
        return tuple(edge for edge in self.shape.edges if edge.source is node)

    def predecessors(self, node: NodeSpec) -> tuple[Edge, ...]:
        """Edges that enter the node."""
        return tuple(edge for edge in self.shape.edges if edge.target is node)
