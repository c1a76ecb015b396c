"""From a flow and its plan to all that is said about them."""

from __future__ import annotations

from penguiray.explain.edges import branch_statements, choice_statements, fusion_statements, type_statements
from penguiray.explain.explanation import Explanation
from penguiray.explain.limits import (
    ask_statements,
    credit_statements,
    limit_statements,
    order_statements,
    window_statements,
)
from penguiray.explain.policies import (
    batch_statements,
    delivery_statements,
    retry_statements,
    straggler_statements,
    timeout_statements,
)
from penguiray.explain.stages import call_statements, replica_statements, resource_statements, stage_statements
from penguiray.graph.spec import FlowSpec
from penguiray.plan.plan import Plan

__all__ = ["explain_flow"]


def explain_flow(spec: FlowSpec, plan: Plan, *, cpus: int) -> Explanation:
    """Say what a flow would do, and why.

    Args:
        spec: The checked flow.
        plan: What was planned for it.
        cpus: CPUs that it was planned for.
    """
    statements = (
        *stage_statements(plan),
        *fusion_statements(spec, plan),
        *branch_statements(spec),
        *replica_statements(plan),
        *choice_statements(plan),
        *call_statements(plan),
        *resource_statements(plan),
        *batch_statements(plan),
        *retry_statements(plan),
        *straggler_statements(plan),
        *timeout_statements(plan),
        *type_statements(spec),
        *delivery_statements(plan),
        *order_statements(plan),
        *window_statements(plan),
        *ask_statements(plan),
        *credit_statements(plan),
        *limit_statements(plan),
    )
    return Explanation(spec.name, cpus, statements)
