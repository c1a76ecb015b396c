"""What is said about calls of a node: batches, retries, time limits, and what becomes of a message in the end."""

from __future__ import annotations

from collections.abc import Iterator

from penguiray.draw.amounts import counted
from penguiray.explain.explanation import Origin, Statement
from penguiray.graph.policies import UNSET
from penguiray.graph.spec import NodeSpec
from penguiray.plan.plan import Plan, Stage
from penguiray.runtime.batch_size import LONGEST_CALL_S, MOST_MESSAGES, SHARE_OF_TIMEOUT, SLOWER_THAN_ALONE
from penguiray.runtime.hedge import MOST_SHARE, why_not_hedged

__all__ = [
    "batch_statements", "delivery_statements", "retry_statements", "straggler_statements", "timeout_statements",
]  # fmt: skip


def _nodes(plan: Plan) -> Iterator[NodeSpec]:
    for stage in plan.stages:
        yield from stage.nodes


def batch_statements(plan: Plan) -> Iterator[Statement]:
    """How many messages one call gets."""
    for node in _nodes(plan):
        batch = node.options.batch_or_none
        if batch is None:
            yield Statement("batches", node.name, "one message a call", "the node has no batch option", "default")
            continue
        form = {"list": "a list", "arrow": "an Arrow table", "numpy": "an array"}[node.signature.columns]
        if batch == "auto":
            yield _auto_batches(node, form)
            continue
        verdict = f"{form} of up to {counted(batch.max_size, 'message')} a call"
        why = f"the node says so; the oldest message waits up to {batch.max_wait_s:g} s for others"
        yield Statement("batches", node.name, verdict, why, "set")


def _auto_batches(node: NodeSpec, form: str) -> Statement:
    limit = node.options.timeout_or_none
    bound = f"{LONGEST_CALL_S:g} s, or {SLOWER_THAN_ALONE:g} times what one message takes"
    if limit is not None:
        bound += f", and within {SHARE_OF_TIMEOUT * limit:g} s of its timeout_s"
    verdict = f"{form} of as many messages a call as it is quickest with, up to {MOST_MESSAGES:,}"
    why = (
        f"the node says batch='auto': penguiray measures its calls, takes more messages while that makes one cheaper "
        f"and a call stays within {bound}; half as many where memory ran out; no message waits for others "
        f"while the node is idle"
    )
    return Statement("batches", node.name, verdict, why, "set")


def retry_statements(plan: Plan) -> Iterator[Statement]:
    """Whether a failed call is made again."""
    for node in _nodes(plan):
        retry = node.options.retry_or_none
        if retry is None:
            why = "running twice is not free of effects; what fails becomes a dead letter"
            yield Statement("retries", node.name, "never", why, "default")
            continue
        on = ", ".join(kind.__name__ for kind in retry.on)
        verdict = f"up to {counted(retry.max_attempts, 'attempt')} on {on}"
        why = (
            f"the node says so; pauses of up to {retry.initial_s:g} s, doubled each time up to {retry.max_s:g} s, hold "
            f"no place"
        )
        yield Statement("retries", node.name, verdict, why, "set")


def straggler_statements(plan: Plan) -> Iterator[Statement]:
    """Whether a message whose call takes much longer than others is worked on by a second call."""
    for node in _nodes(plan):
        why = why_not_hedged(node)
        origin: Origin = "default" if node.options.idempotent is UNSET else "set"
        verdict = "no second call of a message whose first is slow"
        if why is None:
            verdict = "a second call of a message whose first takes much longer than others do"
            why = (
                f"the node says idempotent=True; the first to succeed counts, and the other is cancelled; for at most "
                f"{MOST_SHARE:.0%} of its calls, where a place is free, and not while many of them are slow"
            )
        yield Statement("stragglers", node.name, verdict, why, origin)


def timeout_statements(plan: Plan) -> Iterator[Statement]:
    """How long one attempt may take."""
    for node in _nodes(plan):
        limit = node.options.timeout_or_none
        if limit is None:
            yield Statement(
                "time limits", node.name, "none for a call",
                "the node sets no timeout_s; a caller's own timeout_s keeps calls from beginning too late", "default",
            )  # fmt: skip
            continue
        sync = "" if node.signature.is_async else "; a sync function is not interrupted, its thread runs on"
        yield Statement("time limits", node.name, f"{limit:g} s for an attempt", f"the node says so{sync}", "set")


def _after_loss(stage: Stage, plan: Plan) -> str:
    if stage.index in plan.unrepeatable and (stage.is_fold or stage.is_join):
        return "the loss of its replica ends the run, since what it has gathered is gone"
    if plan.once is not None:
        return f"one of which a lost replica held something ends with ReplicaLost, since {plan.once!r} is at_most_once"
    if stage.index in plan.unrepeatable:
        return "the loss of its replica ends the run, since what a join or a fold before it gave does not come again"
    if plan.begins_anew:
        return "an input of which a replica that dies held something begins anew, and only its last attempt is told"
    return "what a replica held that dies is sent again from the input"


def delivery_statements(plan: Plan) -> Iterator[Statement]:
    """What is promised of each message."""
    for stage in plan.stages:
        for node in stage.nodes:
            yield Statement(
                "delivery", node.name, f"each message at {'least' if plan.once is None else 'most'} once",
                "every input ends in results, an error or expired; " + _after_loss(stage, plan),
                "set" if node.options.delivery else "default",
            )  # fmt: skip
