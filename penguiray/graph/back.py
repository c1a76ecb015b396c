"""Ways back: declared edges that close a loop, and which messages take them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Union, get_origin

from penguiray.errors import FlowError
from penguiray.graph.node import Graph, Node
from penguiray.graph.spec import Edge, Loop, NodeSpec, Shape
from penguiray.graph.types import accepts, is_checked, show, union_members

__all__ = ["Back", "given_along", "with_back_edges"]


class Back:
    """A way back in a flow: `pr.Flow(draft >> review >> publish, back=[pr.Back(review, draft, max_hops=8)])`.

    A message takes it if the node sends it there with `ctx.emit(value, to=draft)`, or by its type: of several types
    that the node is annotated to give, those that only the way back can take. A message that would take it more often
    than `max_hops`, along one line of descent, fails with `BudgetExceeded`. Messages on a way back are served before
    new ones.

    Raises:
        FlowError: It does not lead from one node to one node, or `max_hops` is below 1.
    """

    __slots__ = ("max_hops", "source", "target")

    def __init__(self, source: Graph[Any, Any], target: Graph[Any, Any], *, max_hops: int | None = None) -> None:
        """Declare a way back.

        Args:
            source: The node that it leaves.
            target: The node that it leads to: the same, or one from which the graph leads to the source.
            max_hops: How often a message and what came of it may take it. None: `FlowOptions.max_hops`.
        """
        self.source = _only_node(source)
        self.target = _only_node(target)
        self.max_hops = max_hops
        if max_hops is not None and not (isinstance(max_hops, int) and max_hops >= 1):
            raise FlowError(f"{self!r}: max_hops must be a whole number from 1, not {max_hops!r}")

    def __repr__(self) -> str:
        return f"pr.Back({self.source.name}, {self.target.name})"


def _only_node(graph: Graph[Any, Any]) -> NodeSpec:
    if not isinstance(graph, Node):
        raise FlowError(f"pr.Back(from_node, to_node) leads from one node to one node, not {graph!r}")
    return graph.spec


def with_back_edges(shape: Shape, backs: Sequence[Back], max_hops: int, flow: str) -> Shape:
    """Add the ways back to a graph without cycles.

    Raises:
        FlowError: A way back closes no loop, leaves a node that cannot choose, or leads round a fold.
    """
    branches: dict[NodeSpec, int] = {}
    edges = []
    for number, back in enumerate(backs):
        _check_place(back, shape, flow)
        branch = branches[back.source] = branches.get(back.source, -1) + 1
        takes = _takes(back, backs, shape)
        loop = Loop(number, back.max_hops or max_hops, takes, _leaves(back, takes))
        edges.append(Edge(back.source, back.target, branch, loop))
    for source in branches:
        _check_choice(source, [edge for edge in edges if edge.source is source], shape, flow)
    return replace(shape, edges=(*shape.edges, *edges))


def given_along(edge: Edge, shape: Shape) -> Any:
    """Type of the messages that take an edge.

    A node with ways back may give several, each for one of them. A join gives lists of what reaches it.
    """
    given = edge.source.signature.output_type
    if edge.source.join is not None and given is list:
        return _list_of([given_along(into, shape) for into in shape.edges if into.target is edge.source])
    loops = [other.back for other in shape.edges if other.source is edge.source and other.back is not None]
    if not loops:
        return given
    if edge.back is not None:
        return _union_of([member for member in union_members(given) if _class_of(member) in edge.back.takes]) or Any
    taken = {cls for loop in loops for cls in loop.takes}
    return _union_of([member for member in union_members(given) if _class_of(member) not in taken])


def _check_place(back: Back, shape: Shape, flow: str) -> None:
    for node in (back.source, back.target):
        if node not in shape.nodes:
            raise FlowError(f"flow {flow!r}: {back!r} names {node.name!r} ({node.where}), which is no node of the flow")
    if back.source.kind in {"route", "fold", "join"}:
        raise FlowError(
            f"flow {flow!r}: {back!r} leaves a {back.source.kind}; let a node behind it choose the way back"
        )
    around = _reached(back.target, shape.edges) & {
        node for node in shape.nodes if back.source in _reached(node, shape.edges)
    }
    if back.source not in around:
        raise FlowError(
            f"flow {flow!r}: {back!r} closes no loop, since nothing leads from {back.target.name!r} to "
            f"{back.source.name!r}; write it as an edge of the graph"
        )
    for node in around:
        if node.kind == "fold":
            raise FlowError(
                f"flow {flow!r}: {back!r} leads round the fold {node.name!r}, which gives its sum only when nothing is "
                f"under way any more; put the fold behind the loop"
            )


def _reached(start: NodeSpec, edges: Iterable[Edge]) -> set[NodeSpec]:
    reached, waiting = {start}, [start]
    while waiting:
        node = waiting.pop()
        for edge in edges:
            if edge.source is node and edge.target not in reached:
                reached.add(edge.target)
                waiting.append(edge.target)
    return reached


def _takes(back: Back, backs: Sequence[Back], shape: Shape) -> tuple[type, ...]:
    """Classes of what the source gives that only this way can take."""
    given = back.source.signature.output_type
    others = [edge.target for edge in shape.edges if edge.source is back.source]
    others += [other.target for other in backs if other.source is back.source and other is not back]
    if not (is_checked(given) and is_checked(back.target.signature.input_type)):
        return ()
    members = union_members(given)
    takes = tuple(
        cls
        for member in members
        if isinstance(cls := _class_of(member), type)
        and accepts(back.target.signature.input_type, member)
        and not any(accepts(other.signature.input_type, member) for other in others)
    )
    chooses_itself = back.source.signature.context is not None
    return () if chooses_itself and len(takes) == len(members) else takes


def _leaves(back: Back, takes: tuple[type, ...]) -> tuple[type, ...]:
    """Classes that the source gives besides, and that are narrower than one that goes back: they stay what they are."""
    given = (_class_of(member) for member in union_members(back.source.signature.output_type))
    return tuple(cls for cls in given if isinstance(cls, type) and cls not in takes and issubclass(cls, takes))


def _check_choice(source: NodeSpec, edges: Sequence[Edge], shape: Shape, flow: str) -> None:
    """A node must be able to send some messages back and others on, or nothing or everything would go round."""
    if source.signature.context is not None:
        return
    given, names = source.signature.output_type, ", ".join(repr(edge.target.name) for edge in edges)
    taken = {cls for edge in edges if edge.back is not None for cls in edge.back.takes}
    left = [member for member in union_members(given) if _class_of(member) not in taken]
    ways = [edge.target for edge in (*shape.edges, *edges) if edge.source is source]
    if left and all(edge.back is not None and edge.back.takes for edge in edges):
        return
    takes = "; ".join(f"{node.name!r} ({node.where}) takes {show(node.signature.input_type)}" for node in ways)
    what = "every message would go back" if not left else "nothing says which messages go back"
    raise FlowError(
        f"flow {flow!r}: node {source.name!r} ({source.where}) has a way back to {names}, but {what}: it gives "
        f"{show(given)}; {takes}. Give types that only one way takes, for instance -> Again | Done, or take a second "
        f"parameter `ctx: pr.Context` and send back with ctx.emit(value, to=...)",
        node=source.name,
    )


def _list_of(members: Sequence[Any]) -> Any:
    """A list of any of these types; of anything if one of them is not known."""
    return list[_union_of(members)] if members and all(is_checked(member) for member in members) else list  # type: ignore[misc]  # a type made at run time


def _class_of(member: Any) -> Any:
    return get_origin(member) or member


def _union_of(members: Sequence[Any]) -> Any:
    return Union[tuple(members)] if members else None  # noqa: UP007 - members known only at run time
