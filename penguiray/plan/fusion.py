"""Which neighbours share a replica. Decided before the run, by a rule, with a reason either way.

Fused are neighbours with only each other on a 1:1 edge, whose wishes are equal or unset. A stage ends where a node may
give another number of messages than it takes, so inside a stage nothing has to be counted.
"""

from __future__ import annotations

from penguiray.graph.policies import UNSET
from penguiray.graph.spec import FlowSpec, NodeSpec
from penguiray.plan.plan import Decision

__all__ = ["decide_fusion", "why_not_fused"]

_WISHES = ("num_cpus", "num_gpus", "memory", "resources", "label_selector", "runtime_env", "replicas", "concurrency")


def decide_fusion(spec: FlowSpec, nodes: tuple[NodeSpec, ...]) -> tuple[list[list[NodeSpec]], list[Decision]]:
    """Group ordered nodes into stages; each group is a chain. Returns the groups in the order of their first nodes."""
    groups: dict[NodeSpec, list[NodeSpec]] = {}
    decisions: list[Decision] = []
    for node in nodes:
        entering = [edge for edge in spec.predecessors(node) if edge.back is None]
        if len(entering) == 1:
            before = entering[0].source
            reason = why_not_fused(spec, before, node, groups[before])
            verdict = "fused" if reason is None else "not fused"
            decisions.append(Decision(f"{before.name} >> {node.name}", verdict, reason or "their wishes are equal"))
            if reason is None:
                groups[before].append(node)
                groups[node] = groups[before]
                continue
        groups[node] = [node]
    chains = [group for node, group in groups.items() if group[0] is node]
    return chains, decisions


def why_not_fused(spec: FlowSpec, before: NodeSpec, node: NodeSpec, group: list[NodeSpec]) -> str | None:
    """Why a node does not join the stage of the node before it; None if it does."""
    if len(spec.successors(before)) > 1:
        return f"{before.name!r} has several successors"
    if len(spec.predecessors(node)) > 1:
        return f"a way back leads to {node.name!r}"
    if before in spec.shape.ends:
        return f"messages of {before.name!r} also go to the caller"
    if node in spec.shape.sources:
        return f"{node.name!r} also takes the caller's input"
    return _kind_reason(before, node) or _options_reason(node, group)


def _kind_reason(before: NodeSpec, node: NodeSpec) -> str | None:
    for one in (before, node):
        if one.options.batch:
            return f"{one.name!r} takes batches"
        if one.kind == "fold":
            return f"{one.name!r} sums up the whole input"
        if one.kind == "join":
            return f"{one.name!r} gathers messages"
    if before.signature.is_stream:
        return f"messages of {before.name!r} leave as they are yielded"
    if before.signature.context:
        return f"{before.name!r} may emit more messages through its context"
    if before.kind == "route":
        return f"{before.name!r} chooses where messages go"
    if before.signature.is_async != node.signature.is_async:
        return "one is async and the other is not"
    return None


def _options_reason(node: NodeSpec, group: list[NodeSpec]) -> str | None:
    for one in (*group, node):
        if one.options.fuse is False:
            return f"{one.name!r} has fuse=False"
    for one in (*group, node):
        if one.options.finds_concurrency:
            return f"{one.name!r} finds out by itself how many calls it runs at the same time"
    for wish in _WISHES:
        mine = getattr(node.options, wish)
        others = [getattr(one.options, wish) for one in group]
        given = [other for other in others if other is not UNSET]
        if mine is not UNSET and not given and len(group) >= 1:
            return f"only {node.name!r} sets {wish}"
        if mine is not UNSET and any(other != mine for other in given):
            return f"their {wish} differ"
        if mine is UNSET and given:
            return f"only {group[0].name!r} sets {wish}"
    return None
