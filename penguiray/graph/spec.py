"""The flow as data: what the plan, the engines and the views read. Frozen, and free of any engine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from penguiray.errors import FlowError
from penguiray.graph.code import Code
from penguiray.graph.policies import FlowOptions, NodeOptions
from penguiray.graph.signature import Signature

__all__ = ["Edge", "FlowSpec", "JoinRule", "Loop", "NodeKind", "NodeSpec", "Shape"]

NodeKind = Literal["function", "class", "route", "fold", "join"]
"""A function; a class, built once in each replica; a choice of branches; a sum over the whole input; a gatherer of
messages that belong together."""


@dataclass(frozen=True, slots=True)
class JoinRule:
    """When a join gives a group."""

    count: int | None
    """Messages in a group; None: all there are."""
    is_by_key: bool
    """Whether a group is a key within a call of the run; else it is an input."""
    timeout_s: float | None
    """Longest that a group waits for its next members after its first, in seconds."""
    incomplete: Literal["fail", "partial"]
    """What becomes of a group that ends with fewer messages than `count`."""


@dataclass(frozen=True, slots=True, eq=False)
class NodeSpec:
    """One node. Two nodes are the same only if they are the same object."""

    name: str
    """Name in the flow and in everything that is reported."""
    kind: NodeKind
    """What `code` holds."""
    code: Code
    """The function or class; the tuple of a route's predicates, a fold's three functions, or a join's key."""
    signature: Signature
    """What it takes and gives."""
    options: NodeOptions
    """What was said about it."""
    where: str
    """Where the user wrote it, `module:line`."""
    arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
    """Positional and keyword arguments of a class's constructor."""
    join: JoinRule | None = None
    """Set where the node is a join."""

    def __post_init__(self) -> None:
        """Refuse options that this code cannot have.

        Raises:
            FlowError: It is to find its concurrency, and its calls do not wait, or are for several messages.
        """
        if not self.options.finds_concurrency:
            return
        owner = f"node {self.name!r} ({self.where}): concurrency='auto'"
        if not self.signature.is_async:
            raise FlowError(
                f"{owner} is for async functions, whose calls wait; give a number of threads, or leave it unset",
                node=self.name,
            )
        if self.options.batch:
            raise FlowError(
                f"{owner} goes by the time of a call, and how long a batch takes depends on its size; give a number",
                node=self.name,
            )

    @property
    def has_host_setup(self) -> bool:
        """Whether its class has a `setup_host()`, to be called once on each host before anything is built there."""
        return self.kind == "class" and hasattr(self.code.target, "setup_host")

    @property
    def mixes_inputs(self) -> bool:
        """Whether one message of it may come from several inputs: a sum, or a join by key."""
        return self.kind == "fold" or (self.join is not None and self.join.is_by_key)

    def with_options(self, options: NodeOptions) -> NodeSpec:
        """The same code as another node, under other options.

        Raises:
            FlowError: A fold or join was given an option that it cannot have.
        """
        if self.kind in {"fold", "join"}:
            _check_single(f"pr.{self.kind} {self.name!r}", options)
        return replace(self, options=options, name=options.name or self.name)


def _check_single(what: str, options: NodeOptions) -> None:
    if options.replicas != 1:
        raise FlowError(f"{what}: what it gathers lives in one replica, so replicas={options.replicas!r} cannot be")
    for option in ("batch", "concurrency", "retry", "timeout_s", "rate", "validate"):
        if getattr(options, option):
            raise FlowError(f"{what}: takes no option {option}; put a node before it that has it")


@dataclass(frozen=True, slots=True)
class Loop:
    """What makes an edge a way back."""

    number: int
    """Number among the back edges of the flow; hops are counted by it."""
    max_hops: int
    """How often it may be taken along one line of descent."""
    takes: tuple[type, ...]
    """Classes of the outputs that go this way by themselves; empty: only what is sent with `ctx.emit(to=)`."""
    leaves: tuple[type, ...] = ()
    """Subclasses of those whose instances go on all the same."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Messages of one node go to another."""

    source: NodeSpec
    """Where the messages come from."""
    target: NodeSpec
    """Where they go."""
    branch: int | None = None
    """Number of the branch that this edge belongs to, of a route or of a node with back edges; None: every message
    takes it that was sent nowhere else."""
    back: Loop | None = None
    """Set where the edge is a way back."""


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
    """A checked flow: names unique, edges typed, no cycle but by declared back edges."""

    name: str
    shape: Shape
    options: FlowOptions

    def successors(self, node: NodeSpec) -> tuple[Edge, ...]:
        """Edges that leave the node, in the order in which they were written."""
        return tuple(edge for edge in self.shape.edges if edge.source is node)

    def predecessors(self, node: NodeSpec) -> tuple[Edge, ...]:
        """Edges that enter the node."""
        return tuple(edge for edge in self.shape.edges if edge.target is node)
