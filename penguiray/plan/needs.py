"""What a replica of a node reserves, and where it is to live, in Ray's names. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penguiray.graph.policies import UNSET
from penguiray.graph.spec import NodeSpec

__all__ = ["fitting", "needs_of", "wishes_of"]


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


def wishes_of(node: NodeSpec, *, avoided: str = "") -> dict[str, Any]:
    """Options of an actor that is a replica of a node. CPUs that were not asked for are not reserved.

    Args:
        node: The first node of its stage.
        avoided: Ray's id of a host that it is to live on only if no other one fits. Ray asks any host at all to place
            an actor that needs nothing, also one that stands still, and waits for its answer; one that needs something
            is placed by the driver's own host. So it needs a byte then.
    """
    needs = needs_of(node)
    wishes: dict[str, Any] = {"num_cpus": needs.pop("CPU", 0.0), "num_gpus": needs.pop("GPU", 0.0)}
    if "memory" in needs:
        wishes["memory"] = int(needs.pop("memory"))
    if needs:
        wishes["resources"] = needs
    for name in ("label_selector", "runtime_env"):
        wish = getattr(node.options, name)
        if wish is not UNSET:
            wishes[name] = dict(wish)
    if not avoided:
        return wishes
    labels = wishes.get("label_selector", {})
    elsewhere = {**labels, "ray.io/node-id": f"!{avoided}"}
    return {"memory": 1, **wishes, "label_selector": elsewhere, "fallback_strategy": [{"label_selector": labels}]}
