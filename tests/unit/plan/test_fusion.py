"""Who shares a replica with whom, and the reason that is given."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import penguiray as pr
from penguiray.graph.node import Graph


@pr.node
def a(x: int) -> int:
    return x


@pr.node
def b(x: int) -> int:
    return x


@pr.node
def c(x: int) -> int:
    return x


@pr.node
async def waiting(x: int) -> int:
    await asyncio.sleep(0)
    return x


@pr.node
def several(x: int) -> Iterator[int]:
    yield x


@pr.node
def with_context(x: int, ctx: pr.Context) -> int:
    return x


@pr.node(batch=pr.Batch())
def batched(xs: list[int]) -> list[int]:
    return xs


def add(total: int, x: int) -> int:
    return total + x


def is_even(x: int) -> bool:
    return x % 2 == 0


fold = pr.fold(int, add)
route = pr.route((is_even, b), default=c)


def stages(graph: Graph[int, int]) -> list[str]:
    return [stage.name for stage in pr.Flow(graph).plan().stages]


def reason(graph: Graph[int, int], subject: str) -> str:
    decision = next(one for one in pr.Flow(graph).plan().decisions if one.subject == subject)
    return f"{decision.verdict}: {decision.reason}"


def test_a_chain_of_equal_light_nodes_is_one_stage() -> None:
    assert stages(a >> b >> c) == ["a+b+c"]
    assert reason(a >> b >> c, "a >> b") == "fused: their wishes are equal"
    two = {"replicas": 2, "num_cpus": 1, "concurrency": 3}
    assert stages(a.options(**two) >> b.options(**two)) == ["a+b"]
    assert stages(waiting >> waiting.options(name="more")) == ["waiting+more"]


def test_a_generator_a_context_or_a_route_may_end_a_stage() -> None:
    assert stages(a >> several) == ["a+several"]
    assert stages(a >> with_context) == ["a+with_context"]
    assert stages(a >> route) == ["a+route", "b", "c"]


@pytest.mark.parametrize(
    ("graph", "subject", "why"),
    [
        (a >> (b, c), "a >> b", "'a' has several successors"),
        (pr.fan(a, a >> b), "a >> b", "messages of 'a' also go to the caller"),
        (pr.fan(b, a >> b), "a >> b", "'b' also takes the caller's input"),
        (a >> batched, "a >> batched", "'batched' takes batches"),
        (batched >> b, "batched >> b", "'batched' takes batches"),
        (a >> fold, "a >> fold", "'fold' sums up the whole input"),
        (fold >> a, "fold >> a", "'fold' sums up the whole input"),
        (several >> b, "several >> b", "messages of 'several' leave as they are yielded"),
        (with_context >> b, "with_context >> b", "'with_context' may emit more messages through its context"),
        (a >> route, "route >> b", "'route' has several successors"),
        (pr.route((is_even, b)), "route >> b", "'route' chooses where messages go"),
        (a >> waiting, "a >> waiting", "one is async and the other is not"),
        (a.options(fuse=False) >> b, "a >> b", "'a' has fuse=False"),
        (a >> b.options(fuse=False), "a >> b", "'b' has fuse=False"),
        (a >> b.options(num_gpus=1), "a >> b", "only 'b' sets num_gpus"),
        (a.options(memory=1) >> b, "a >> b", "only 'a' sets memory"),
        (a.options(replicas=1) >> b.options(replicas=2), "a >> b", "their replicas differ"),
        (a.options(concurrency=1) >> b.options(concurrency=2), "a >> b", "their concurrency differ"),
        (
            waiting.options(concurrency="auto") >> waiting.options(name="more", concurrency="auto"),
            "waiting >> more",
            "'waiting' finds out by itself how many calls it runs at the same time",
        ),
        (
            waiting >> waiting.options(name="more", concurrency="auto"),
            "waiting >> more",
            "'more' finds out by itself how many calls it runs at the same time",
        ),
        (a.options(runtime_env={"x": 1}) >> b.options(runtime_env={"x": 2}), "a >> b", "their runtime_env differ"),
    ],
)
def test_each_refusal_says_why(graph: Graph[int, int], subject: str, why: str) -> None:
    assert reason(graph, subject) == f"not fused: {why}"


def test_a_node_with_several_predecessors_begins_a_stage() -> None:
    assert stages(a >> (b, c) >> batched) == ["a", "b", "c", "batched"]
    assert stages((a, b) >> c >> waiting) == ["a", "b", "c", "waiting"]


def test_stages_edges_and_concurrency_are_in_the_plan() -> None:
    plan = pr.Flow(a >> several >> (waiting, b.options(concurrency=5)), name="all").plan(cpus=8)
    assert [(stage.name, stage.replicas, stage.concurrency, stage.is_end) for stage in plan.stages] == [
        ("a+several", 4, 1, False), ("waiting", 1, 32, True), ("b", 4, 5, True)
    ]  # fmt: skip
    assert [edge.target for edge in plan.stages[0].edges] == [1, 2]
    assert plan.sources == (0,)
    assert plan.concurrency == 4 + 32 + 20
    assert "a+several: 4 x 1 call at a time -> waiting, b" in str(plan)
    assert "because" in str(plan)


@pytest.mark.parametrize(
    ("wish", "cpus", "count"), [(3, 1, 3), ((1, 8), 4, 4), ((2, 8), 1, 2), ((1, 3), 16, 3), (None, 6, 6), (None, 0, 1)]
)
def test_replicas_are_what_the_node_says_within_its_share_of_cpus(
    wish: int | tuple[int, int] | None, cpus: int, count: int
) -> None:
    node = a if wish is None else a.options(replicas=wish)
    assert pr.Flow(node).plan(cpus=cpus).stages[0].replicas == count


def test_edges_of_a_plan_point_forward_and_folds_close_in_order() -> None:
    second = pr.fold(int, add, name="second")
    plan = pr.Flow(a >> (b, fold >> c) >> second).plan()
    assert all(edge.target > stage.index for stage in plan.stages for edge in stage.edges)
    assert [plan.stages[index].name for index in plan.folds] == ["fold", "second"]
