"""What a replica of a node reserves, in Ray's names."""

from __future__ import annotations

from collections.abc import Mapping

from penguiray.graph.policies import UNSET
from penguiray.graph.spec import NodeSpec

__all__ = ["fitting", "needs_of"]


def needs_of(node: NodeSpec) -> dict[str, float]:
    """What is reserved for each replica; nothing that is not asked for."""
    options = node.options
    named = {"CPU": options.num_cpus, "GPU": options.num_gpus, "memory": options.memory}
    needs = {name: float(amount) for name, amount in named.items() if amount is not UNSET and amount}
    return needs | dict(options.resources or {})


def fitting(node: NodeSpec, totals: Mapping[str, float]) -> int | None:
    """How many replicas the cluster's resources are enough for in all; None where nothing is reserved."""
    needs = {name: amount for name, amount in needs_of(node).items() if amount > 0}
    if not needs:
        return None
    return int(min(totals.get(name, 0.0) / amount for name, amount in needs.items()))
