"""What is said about stages: who shares a process, how many there are, and what each reserves."""

from __future__ import annotations

from collections.abc import Iterator

from penguiray.draw.amounts import counted
from penguiray.explain.explanation import Origin, Statement
from penguiray.graph.policies import UNSET
from penguiray.graph.spec import NodeSpec
from penguiray.plan.needs import needs_of
from penguiray.plan.plan import Plan
from penguiray.runtime.limit import MOST_CALLS

__all__ = ["call_statements", "in_bytes", "replica_statements", "resource_statements", "stage_statements"]


def stage_statements(plan: Plan) -> Iterator[Statement]:
    """Which nodes share a process, what they are, and where their messages go."""
    for stage in plan.stages:
        targets = dict.fromkeys(plan.stages[edge.target].name for edge in stage.edges)
        goes_to = ", ".join([*targets, *["the caller"] * stage.is_end])
        what = ", then ".join(f"{_what(node)} at {node.where}" for node in stage.nodes)
        reason = "fused nodes hand messages over without sending them" if len(stage.nodes) > 1 else ""
        yield Statement("stages", stage.name, f"{what}; sends to {goes_to}", reason, "decided")


def _what(node: NodeSpec) -> str:
    if node.kind == "route":
        return "a choice of branches"
    if node.kind == "fold":
        return "a sum over the whole input"
    if node.join is not None:
        many = "all messages" if node.join.count is None else counted(node.join.count, "message")
        return f"a gatherer of {many} that belong together"
    async_or_not = "an async " if node.signature.is_async else "a "
    return async_or_not + ("generator " if node.signature.is_stream else "") + node.kind


def replica_statements(plan: Plan) -> Iterator[Statement]:
    """How many replicas each stage gets."""
    for stage in plan.stages:
        count = counted(stage.replicas, "replica")
        reasons = [
            decision.reason
            for decision in plan.decisions
            if decision.subject == stage.name and decision.verdict.endswith(("replica", "replicas"))
        ]
        if stage.is_fold or stage.is_join:
            yield Statement("replicas", stage.name, count, "what it gathers lives in one replica", "decided")
            continue
        origin: Origin = "default" if stage.first.options.replicas is UNSET else "set"
        yield Statement("replicas", stage.name, count, reasons[-1], origin)


def call_statements(plan: Plan) -> Iterator[Statement]:
    """How many calls one replica runs at the same time."""
    for stage in plan.stages:
        many = f"{stage.concurrency} at a time in each replica"
        if stage.finds_concurrency:
            why = f"the node says concurrency='auto': more while calls take no longer for it, up to {MOST_CALLS:,}"
            yield Statement("calls at a time", stage.name, f"{many} at first", why, "set")
        elif stage.first.options.concurrency is not UNSET:
            yield Statement(
                "calls at a time", stage.name, many, f"the node says concurrency={stage.concurrency}", "set"
            )
        elif stage.first.signature.is_async:
            yield Statement("calls at a time", stage.name, many, "async calls spend their time waiting", "default")
        else:
            yield Statement("calls at a time", stage.name, many, "sync code runs one call after the other", "default")


def resource_statements(plan: Plan) -> Iterator[Statement]:
    """What each replica reserves, and where it may live."""
    for stage in plan.stages:
        node = stage.first
        needs = needs_of(node)
        if needs:
            shown = ", ".join(_amount(name, amount) for name, amount in needs.items())
            yield Statement("resources", stage.name, f"each replica reserves {shown}", "the node asks for it", "set")
        else:
            yield Statement(
                "resources", stage.name, "nothing is reserved", "the node asks for nothing, so that it fits any host",
                "default",
            )  # fmt: skip
        if node.options.label_selector:
            labels = ", ".join(f"{name}={value}" for name, value in node.options.label_selector.items())
            yield Statement("resources", stage.name, f"only on hosts with {labels}", "the node says so", "set")
        if node.options.runtime_env:
            keys = ", ".join(node.options.runtime_env)  # no values: they may hold secrets
            yield Statement(
                "resources", stage.name, f"a runtime environment of its own ({keys})", "the node says so", "set"
            )


def _amount(name: str, amount: float) -> str:
    return f"{in_bytes(int(amount))} of memory" if name == "memory" else f"{amount:g} {name}"


def in_bytes(count: int) -> str:
    """A number of bytes as a person writes it: `16 MiB`, or `1.5 KiB`."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.4g} {unit}"
    return counted(count, "byte")
