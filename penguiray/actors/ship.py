"""Stages as bytes: the user's code by name where a worker can import it, by value from everywhere else."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import cloudpickle  # type: ignore[import-untyped]  # it ships no types

from penguiray.errors import FlowError
from penguiray.graph.code import modules_by_value
from penguiray.graph.spec import NodeSpec
from penguiray.plan.plan import Plan

__all__ = ["pack_stages"]


def pack_stages(plan: Plan) -> list[bytes]:
    """Pickle every stage.

    Raises:
        FlowError: A node cannot be pickled; says which, where it was written, and what pickle said.
    """
    with _by_value():
        for stage in plan.stages:
            for node in stage.nodes:
                _check(node)
        return [cloudpickle.dumps(stage) for stage in plan.stages]


def _check(node: NodeSpec) -> None:
    try:
        cloudpickle.dumps(node)
    except Exception as error:
        raise FlowError(
            f"node {node.name!r} ({node.where}) cannot be sent to a replica: {error}. Make what cannot be pickled "
            f"inside the function, or in the constructor or setup() of a class node",
            node=node.name,
        ) from error


@contextlib.contextmanager
def _by_value() -> Iterator[None]:
    """Have cloudpickle send the modules that workers cannot import by value, while this lasts."""
    known = cloudpickle.list_registry_pickle_by_value()
    names = [name for name in modules_by_value() if name not in known]
    for name in names:
        cloudpickle.register_pickle_by_value(sys.modules[name])
    try:
        yield
    finally:
        for name in names:
            cloudpickle.unregister_pickle_by_value(sys.modules[name])
