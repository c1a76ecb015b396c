"""From a flow to its plan, in two passes: fuse nodes into stages, then give each stage its replicas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from penguiray.draw.amounts import counted
from penguiray.graph.check import order
from penguiray.graph.policies import UNSET
from penguiray.graph.spec import FlowSpec, NodeSpec
from penguiray.plan.fusion import decide_fusion
from penguiray.plan.needs import fitting
from penguiray.plan.plan import Decision, Plan, Stage, StageEdge

__all__ = ["ASYNC_CONCURRENCY", "compile_plan"]

ASYNC_CONCURRENCY = 32
"""Calls of an async node that run at the same time in one replica unless it says otherwise; at first, if it finds that
number by itself."""


def compile_plan(spec: FlowSpec, *, cpus: int, totals: Mapping[str, float] | None = None) -> Plan:
    """Plan a flow.

    Args:
        spec: The checked flow.
        cpus: CPUs of the cluster; 1 for an engine in one process.
        totals: All that the cluster has, in Ray's names, to choose no more replicas than fit. None: not known.
    """
    groups, decisions = decide_fusion(spec, order(spec.shape, spec.name))
    stage_of = {node: index for index, group in enumerate(groups) for node in group}
    # CPUs are shared among the stages that may use several: an equal part each, since nothing is measured yet.
    eager = sum(_may_grow(group) for group in groups)
    share = max(1, cpus // max(1, eager))
    stages = []
    for index, group in enumerate(groups):
        replicas, decision = _replicas(group, share)
        replicas, decision = _fitted(group, replicas, decision, totals)
        decisions.append(decision)
        edges = tuple(
            dict.fromkeys(
                StageEdge(stage_of[edge.target], edge.branch, edge.target.name, edge.back)
                for edge in spec.successors(group[-1])
            )
        )
        is_end = group[-1] in spec.shape.ends
        stages.append(Stage(index, tuple(group), edges, is_end, replicas, _concurrency(group)))
    stages = [replace(stage, fed_by=_fed_by(stage, stages)) if stage.is_join else stage for stage in stages]
    sources = tuple(stage_of[node] for node in spec.shape.sources)
    return _passing_on(Plan(spec.name, tuple(stages), sources, spec.options, tuple(decisions)))


def _passing_on(plan: Plan) -> Plan:
    """The plan in which stages do not tell what others will, if it is of that kind.

    Where an input is given up rather than sent again, or another attempt begins, nothing is to be told late.
    """
    if not plan.is_straight or plan.once is not None or plan.begins_anew:
        return plan
    return replace(plan, stages=tuple(replace(stage, passes_on=not stage.is_end) for stage in plan.stages))


def _fed_by(join: Stage, stages: Sequence[Stage]) -> tuple[tuple[int, str], ...]:
    feeders = (stage for stage in stages if any(edge.target == join.index for edge in stage.edges))
    return tuple((stage.index, stage.last.name) for stage in feeders)


def _may_grow(group: list[NodeSpec]) -> bool:
    return group[0].options.replicas is UNSET and not group[0].signature.is_async


def _replicas(group: list[NodeSpec], share: int) -> tuple[int, Decision]:
    name, wish = "+".join(node.name for node in group), group[0].options.replicas
    if isinstance(wish, int):
        return wish, Decision(name, counted(wish, "replica"), "the node says so")
    if wish is not UNSET:
        fewest, most = wish
        count = min(most, max(fewest, share))
        return count, Decision(name, counted(count, "replica"), f"of {fewest} to {most}, CPUs are shared evenly")
    if group[0].signature.is_async:
        return 1, Decision(name, "1 replica", "async calls wait together in one process")
    return share, Decision(
        name, counted(share, "replica"), "CPUs are shared evenly among the stages that are not async"
    )


def _fitted(
    group: list[NodeSpec], count: int, decision: Decision, totals: Mapping[str, float] | None
) -> tuple[int, Decision]:
    """No more replicas than the cluster can hold, where the number is ours to choose."""
    wish, most = group[0].options.replicas, None if totals is None else fitting(group[0], totals)
    fewest = 1 if wish is UNSET else wish if isinstance(wish, int) else wish[0]
    if most is None or count <= max(most, fewest):
        return count, decision
    fitted = max(most, fewest)
    return fitted, Decision(
        decision.subject, counted(fitted, "replica"), "the cluster's resources are enough for no more"
    )


def _concurrency(group: list[NodeSpec]) -> int:
    wish = group[0].options.concurrency
    if wish is not UNSET and wish != "auto":
        return int(wish)
    return ASYNC_CONCURRENCY if group[0].signature.is_async else 1
