"""Whether nodes can be sent to a replica: asked when a flow is built, whatever the engine, and again when it starts."""

from __future__ import annotations

from collections.abc import Iterable

from penguiray.errors import FlowError
from penguiray.graph.spec import NodeSpec
from penguiray.link.classes import by_value
from penguiray.link.obstacle import find_obstacle, try_to_pickle

__all__ = ["check_sendable"]


def check_sendable(nodes: Iterable[NodeSpec]) -> None:
    """Pickle every node once, to nowhere.

    Raises:
        FlowError: A node cannot be pickled; says which, where it was written, and which part of it is to blame.
    """
    with by_value():
        for node in nodes:
            error = try_to_pickle(node)
            if error is not None:
                raise _refusal(node, error) from error


def _refusal(node: NodeSpec, error: Exception) -> FlowError:
    obstacle = find_obstacle(node, error)
    return FlowError(
        f"node {node.name!r} ({node.where}) cannot be sent to a replica: {obstacle}. "
        f"Make it inside the function, or in the constructor or setup() of a class node",
        node=node.name,
        path=obstacle.path,
    )
