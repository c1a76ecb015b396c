"""Stages as bytes: the user's code by name where a worker can import it, by value from everywhere else."""

from __future__ import annotations

import cloudpickle

from penguiray.link.classes import by_value
from penguiray.link.sendable import check_sendable
from penguiray.plan.plan import Plan

__all__ = ["pack_stages"]


def pack_stages(plan: Plan) -> list[bytes]:
    """Pickle every stage.

    Raises:
        FlowError: A node cannot be pickled any more, since something that it uses has changed after it was built.
    """
    with by_value():
        try:
            return [cloudpickle.dumps(stage) for stage in plan.stages]
        except Exception:
            check_sendable(node for stage in plan.stages for node in stage.nodes)
            raise
