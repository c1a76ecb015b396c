"""Stages as bytes: the user's code by name where a worker can import it, by value from everywhere else."""

from __future__ import annotations

import cloudpickle

from penguiray.errors import FlowError
from penguiray.graph.spec import NodeSpec
from penguiray.link.classes import by_value
from penguiray.plan.outline import outline
from penguiray.plan.plan import Plan

__all__ = ["pack_outline", "pack_stages"]


def pack_stages(plan: Plan) -> list[bytes]:
    """Pickle every stage.

    Raises:
        FlowError: A node cannot be pickled; says which, where it was written, and what pickle said.
    """
    with by_value():
        for stage in plan.stages:
            for node in stage.nodes:
                _check(node)
        return [cloudpickle.dumps(stage) for stage in plan.stages]


def pack_outline(plan: Plan) -> bytes:
    """Pickle the plan without the user's code, for processes that attach to the run."""
    with by_value():
        packed: bytes = cloudpickle.dumps(outline(plan))
        return packed


def _check(node: NodeSpec) -> None:
    try:
        cloudpickle.dumps(node)
    except Exception as error:
        raise FlowError(
            f"node {node.name!r} ({node.where}) cannot be sent to a replica: {error}. Make what cannot be pickled "
            f"inside the function, or in the constructor or setup() of a class node",
            node=node.name,
        ) from error
