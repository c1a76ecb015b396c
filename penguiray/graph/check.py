"""What must hold of a flow before anything runs: each fault is named with its nodes and where they were written."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from penguiray.errors import FlowError
from penguiray.graph.back import Back, given_along, with_back_edges
from penguiray.graph.policies import FlowOptions
from penguiray.graph.spec import Edge, FlowSpec, NodeSpec, Shape
from penguiray.graph.types import accepts, show, union_members

__all__ = ["check_edges", "check_flow", "check_name", "order"]


def check_flow(shape: Shape, name: str, options: FlowOptions, back: Sequence[Back] = ()) -> FlowSpec:
    """Check a graph and name it.

    Raises:
        FlowError: Two nodes of one name, an edge between types that cannot fit, a cycle that is not declared or whose
            messages have no choice, or an unusable name.
    """
    check_name(name)
    _check_names(shape, name)
    order(shape, name)
    shape = with_back_edges(shape, back, options.max_hops, name)
    check_edges(shape, name)
    return FlowSpec(name, shape, options)


def check_edges(shape: Shape, name: str) -> None:
    """Check that what each node gives fits the nodes that it leads to.

    Raises:
        FlowError: It does not.
    """
    for edge in shape.edges:
        _check_edge(edge, shape, name)
    _check_attempts(shape, name)


def check_name(name: str) -> None:
    """Refuse what cannot name a flow or a run.

    Raises:
        FlowError: The name is empty or has a slash, which parts the names of actors.
    """
    if not name or "/" in name:
        raise FlowError(f"flow name {name!r}: give a text that is not empty and has no '/'")


def _check_names(shape: Shape, flow: str) -> None:
    seen: dict[str, NodeSpec] = {}
    for node in shape.nodes:
        other = seen.setdefault(node.name, node)
        if other is not node:
            raise FlowError(
                f"flow {flow!r}: two nodes are named {node.name!r} ({other.where} and {node.where}); "
                f"give one of them another name with .options(name=...)",
                node=node.name,
            )


def _check_edge(edge: Edge, shape: Shape, flow: str) -> None:
    given, wanted = given_along(edge, shape), edge.target.signature.input_type
    if given is type(None):
        emits = edge.source.signature.context is not None
        instead = f"annotate what it emits, like `-> {show(wanted)} | None`" if emits else "return a value"
        raise FlowError(
            f"flow {flow!r}: node {edge.source.name!r} ({edge.source.where}) returns None, so nothing would ever reach "
            f"{edge.target.name!r}; {instead}, or end the flow there",
            node=edge.source.name,
        )
    if not accepts(wanted, given):
        raise FlowError(
            f"flow {flow!r}: {edge.source.name!r} ({edge.source.where}) gives {show(given)}, "
            f"but {edge.target.name!r} ({edge.target.where}) takes {show(wanted)}{_hint(edge, wanted, given)}",
            node=edge.target.name,
        )


def _check_attempts(shape: Shape, flow: str) -> None:
    """Refuse what may give other messages when its input is sent again, where a sum has counted the first ones."""
    mixing = [node for node in shape.nodes if node.mixes_inputs]
    if not mixing or any(node.options.delivery == "at_most_once" for node in shape.nodes):
        return
    before, waiting = set[NodeSpec](), list(shape.sources)
    while waiting:
        node = waiting.pop()
        if node not in before and node not in mixing:
            before.add(node)
            waiting += [edge.target for edge in shape.edges if edge.source is node]
    for node in shape.nodes:
        if node.options.deterministic is False and node in before:
            raise FlowError(
                f"flow {flow!r}: node {node.name!r} ({node.where}) is deterministic=False, but {mixing[0].name!r} "
                f"gathers messages of several inputs, and would count what two attempts gave; have the node give the "
                f"same again for the same input, or use delivery='at_most_once'",
                node=node.name,
            )


def _hint(edge: Edge, wanted: object, given: object) -> str:
    if edge.target.kind == "route":
        left = ", ".join(show(member) for member in union_members(given) if not accepts(wanted, member))
        return f"; no branch takes {left}: add one, or a default="
    if (inspect.isclass(given) and getattr(wanted, "__origin__", None) in {list, tuple}) or wanted is list:
        return "; a node that takes a list of messages needs batch=pr.Batch(...) or batch='auto'"
    return ""


def order(shape: Shape, flow: str) -> tuple[NodeSpec, ...]:
    """The nodes in an order in which every edge but the back edges points forward.

    Source: A. B. Kahn, "Topological sorting of large networks", Communications of the ACM 5(11), 1962.

    Raises:
        FlowError: The graph has a cycle.
    """
    edges = [edge for edge in shape.edges if edge.back is None]
    waiting = {node: sum(edge.target is node for edge in edges) for node in shape.nodes}
    ready = [node for node, entering in waiting.items() if entering == 0]
    done: list[NodeSpec] = []
    while ready:
        node = ready.pop(0)
        done.append(node)
        for edge in edges:
            if edge.source is node:
                waiting[edge.target] -= 1
                if waiting[edge.target] == 0:
                    ready.append(edge.target)
    if len(done) < len(shape.nodes):
        left = [f"{node.name} ({node.where})" for node in shape.nodes if node not in done]
        raise FlowError(
            f"flow {flow!r}: the nodes {' >> '.join(left)} form a cycle; leave one edge out of the graph and "
            f"declare it with back=[pr.Back(from_node, to_node)]. If a node is meant to stand there twice, use "
            f"node.options(name=...) for the second"
        )
    return tuple(done)
