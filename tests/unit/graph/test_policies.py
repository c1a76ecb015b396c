"""Defaults are pinned, ranges are checked where they are written."""

from __future__ import annotations

import pickle
import random
from dataclasses import fields
from typing import Any

import pytest

import penguiray as pr
from penguiray.clock import SystemClock
from penguiray.graph.policies import LINK_MESSAGES, UNSET
from penguiray.ingress.ingress import Ingress
from penguiray.link.frame import Frame, LinkId


@pr.node
def sync(x: int) -> int:
    return x


@pr.node
async def waiting(x: int) -> int:
    return x


class Nowhere:
    def send(self, frame: Frame) -> int:
        return 0

    def frame_bytes(self, stage: int, full_bytes: float) -> float:
        return full_bytes

    def is_near(self, link: LinkId) -> bool:
        return link.replica == 0


def test_the_table_of_defaults() -> None:
    plan = pr.Flow(sync >> waiting).plan(cpus=4)
    ingress = Ingress(plan, Nowhere(), epoch=1, clock=SystemClock(), rng=random.Random(1))
    call = ingress.open_call(ordered=False, facts=None, wake=lambda: None)
    options = plan.options
    assert {option.name for option in fields(pr.NodeOptions) if getattr(pr.NodeOptions(), option.name) is UNSET} == {
        "name", "num_cpus", "num_gpus", "memory", "resources", "label_selector", "runtime_env", "replicas",
        "concurrency", "batch", "retry", "idempotent", "timeout_s", "rate", "delivery", "deterministic", "fuse",
        "validate",
    }  # fmt: skip
    assert [(stage.replicas, stage.concurrency) for stage in plan.stages] == [(4, 1), (1, 32)]
    assert pr.NodeOptions().retry_or_none is None
    assert pr.NodeOptions().timeout_or_none is None
    assert pr.NodeOptions().rate_or_none is None
    assert pr.NodeOptions().batch_or_none is None
    assert call.window.size == 4 * (4 * 1 + 1 * 32)
    assert (options.inline_limit_bytes, options.retention_bytes) == (64 * 1024, 64 * 1024 * 1024)
    assert (options.link_messages, LINK_MESSAGES) == (None, 2_000)
    assert (options.link_bytes, options.frame_messages) == (16 * 1024 * 1024, 1_000)
    assert (options.max_hops, options.max_live_messages, options.report_after_s) == (32, 100_000, 30.0)
    assert pr.Batch() == pr.Batch(max_size=64, max_wait_s=0.01)
    assert pr.Retry() == pr.Retry(
        max_attempts=3, initial_s=0.1, max_s=30.0, on=(Exception,), budget_ratio=0.2, budget_reserve=100
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""}, {"name": "a/b"}, {"num_cpus": -1}, {"num_gpus": "one"}, {"memory": -1}, {"replicas": 0},
        {"replicas": (2, 1)}, {"replicas": (0, 1)}, {"concurrency": 0}, {"concurrency": "many"}, {"batch": 5},
        {"batch": "Auto"}, {"retry": 3}, {"timeout_s": 0}, {"rate": 5}, {"delivery": "maybe"}, {"deterministic": "no"},
        {"idempotent": 1},
    ],
)  # fmt: skip
def test_an_option_out_of_range_is_refused_with_the_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(pr.FlowError, match=f"node 'sync': {next(iter(wrong))}=.* cannot be; give"):
        sync.options(**wrong)


def test_a_batch_is_a_policy_or_auto() -> None:
    with pytest.raises(pr.FlowError, match=r"batch='large' cannot be; give a pr.Batch\(...\), or 'auto'"):
        pr.node(batch="large")  # type: ignore[call-overload]  # the mistake under test
    with pytest.raises(pr.FlowError, match=r"batch=64 cannot be; give a pr.Batch\(...\), or 'auto'"):
        pr.actor(batch=64)  # type: ignore[call-overload]  # as above
    assert pr.NodeOptions(batch="auto").batch_or_none == "auto"


def test_only_async_nodes_of_single_messages_find_their_concurrency_by_themselves() -> None:
    assert pr.Flow(waiting.options(concurrency="auto")).plan().stages[0].concurrency == 32
    where = f"({sync.spec.where})"
    with pytest.raises(pr.FlowError, match="concurrency='many' cannot be; give a whole number from 1, or 'auto'"):
        waiting.options(concurrency="many")
    with pytest.raises(pr.FlowError, match="concurrency='auto' is for async functions, whose calls wait") as refused:
        sync.options(concurrency="auto")
    assert str(refused.value).startswith(f"node 'sync' {where}: ")

    async def batched(xs: list[int]) -> list[int]:
        return xs

    with pytest.raises(pr.FlowError, match="how long a batch takes depends on its size; give a number"):
        pr.node(batch=pr.Batch(), concurrency="auto")(batched)
    with pytest.raises(pr.FlowError, match="takes no option concurrency"):
        pr.fold(int, lambda total, x: total + x).options(concurrency="auto")


def test_an_unknown_option_is_told_what_was_meant_or_which_there_are() -> None:
    with pytest.raises(pr.FlowError, match="node 'sync': there is no option 'gpus'; did you mean 'num_gpus'"):
        sync.options(gpus=1)
    with pytest.raises(pr.FlowError, match="no option 'colour'; there are batch, concurrency"):
        pr.node(colour=1)  # type: ignore[call-overload]  # the mistake under test


def test_at_most_once_and_another_attempt_contradict_each_other() -> None:
    with pytest.raises(pr.FlowError, match="node 'sync': delivery='at_most_once' and a retry contradict each other"):
        sync.options(delivery="at_most_once", retry=pr.Retry(max_attempts=2))
    assert sync.options(delivery="at_most_once").spec.options.delivery == "at_most_once"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: pr.Batch(max_size=0), lambda: pr.Batch(max_wait_s=-1), lambda: pr.Retry(max_attempts=0),
        lambda: pr.Retry(initial_s=2, max_s=1), lambda: pr.Retry(budget_ratio=-1), lambda: pr.Retry(budget_reserve=-1),
        lambda: pr.Rate(0), lambda: pr.Rate(1, per_s=0),
        lambda: pr.FlowOptions(link_messages=0), lambda: pr.FlowOptions(frame_messages=0),
    ],
)  # fmt: skip
def test_policies_check_themselves(wrong: Any) -> None:
    with pytest.raises(pr.FlowError):
        wrong()


def test_options_add_up_and_the_first_node_stays_as_it_was() -> None:
    changed = sync.options(replicas=2).options(name="other", concurrency=3)
    assert (changed.name, changed.spec.options.replicas, changed.spec.options.concurrency) == ("other", 2, 3)
    assert sync.spec.options.replicas is UNSET
    assert pickle.loads(pickle.dumps(pr.NodeOptions())).retry is UNSET  # noqa: S301 - its own bytes
    assert pr.Retry(on=KeyError).on == (KeyError,)  # type: ignore[arg-type]  # one class is taken for a tuple of one
