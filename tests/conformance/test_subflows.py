"""`ctx.ask` and its kin: a flow that a node asks runs in the node's replica, under the same deadline."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import penguiray as pr

PATIENCE_S = 20.0


@pr.node
def plus_one(x: int) -> int:
    if x < 0:
        raise ValueError("below zero")
    return x + 1


@pr.node
async def double(x: int) -> int:
    await asyncio.sleep(0)
    return 2 * x


@pr.node
def count_up(x: int) -> Iterator[int]:
    yield from range(x)


@pr.node
async def never(x: int) -> int:
    await asyncio.Event().wait()
    return x


@pr.node
def seen(x: int, ctx: pr.Context) -> tuple[int, str, str, float | None]:
    return os.getpid(), ctx.trace_id, ctx.headers.get("who", ""), ctx.remaining_s


inner = pr.Flow(plus_one >> double, name="inner")
counting = pr.Flow(count_up, name="counting")
seeing = pr.Flow(seen, name="seeing")
hanging = pr.Flow(never, name="hanging")


@pr.node
def asks(x: int, ctx: pr.Context) -> int:
    return ctx.ask(inner, x)


@pr.node
async def asks_async(x: int, ctx: pr.Context) -> int:
    return await ctx.aask(inner, x)


@pr.node(batch=pr.Batch(max_size=8))
def asks_in_batches(xs: list[int], ctx: pr.Context) -> list[int]:
    return [ctx.ask(inner, x) for x in xs]


@pr.node(concurrency=4)
def asks_in_threads(x: int, ctx: pr.Context) -> int:
    return ctx.ask(inner, x)


@pr.node
def asks_all(x: int, ctx: pr.Context) -> list[int]:
    return ctx.ask_all(counting, x)


@pr.node
async def asks_all_async(x: int, ctx: pr.Context) -> list[int]:
    return await ctx.aask_all(counting, x)


@pytest.mark.parametrize("node", [asks, asks_async, asks_in_batches, asks_in_threads], ids=lambda node: node.name)
@pytest.mark.usefixtures("engine")
def test_a_node_asks_a_flow_for_each_of_its_messages(node: pr.Node[int, int]) -> None:
    with pr.Flow(node).start() as run:
        assert run.ask(1) == 4
        assert run.collect(range(100), ordered=True) == [2 * (x + 1) for x in range(100)]


@pytest.mark.usefixtures("engine")
def test_a_node_takes_any_number_of_results_with_ask_all_and_exactly_one_with_ask() -> None:
    @pr.node
    def asks_one(x: int, ctx: pr.Context) -> int:
        return ctx.ask(counting, x)

    for node in (asks_all, asks_all_async):
        with pr.Flow(node).start() as run:
            assert run.collect([0, 3, 1], ordered=True) == [[], [0, 1, 2], [0]]
    with pr.Flow(asks_one).start() as asking:
        outcomes = asking.map([0, 1, 2], ordered=True, on_error="yield")
        assert [type(outcome.__cause__) if isinstance(outcome, Exception) else outcome for outcome in outcomes] == [
            pr.NoResult,
            0,
            pr.ManyResults,
        ]


@pytest.mark.parametrize("node", [asks, asks_async], ids=lambda node: node.name)
@pytest.mark.usefixtures("engine")
def test_an_error_inside_a_subflow_is_the_cause_of_the_node_that_asked(node: pr.Node[int, int]) -> None:
    with pr.Flow(node).start() as run:
        with pytest.raises(pr.NodeError) as caught:
            run.ask(-1)
        cause = caught.value.__cause__
        assert caught.value.node == node.name
        assert isinstance(cause, pr.NodeError)
        assert (cause.node, cause.trace_id) == ("plus_one", caught.value.trace_id)
        assert isinstance(cause.__cause__, ValueError)
        assert run.ask(1) == 4


@pr.node
def sees(x: int, ctx: pr.Context) -> tuple[int, tuple[int, str, str, float | None]]:
    return os.getpid(), ctx.ask(seeing, x)


@pr.node
async def sees_async(x: int, ctx: pr.Context) -> tuple[int, tuple[int, str, str, float | None]]:
    return os.getpid(), await ctx.aask(seeing, x)


@pytest.mark.parametrize("node", [sees, sees_async], ids=lambda node: node.name)
@pytest.mark.usefixtures("engine")
def test_deadline_trace_id_and_headers_are_handed_down(node: Any) -> None:
    with pr.Flow(node).start() as run:
        pid, (inner_pid, trace_id, who, remaining_s) = run.ask(1, timeout_s=60, trace_id="mine", headers={"who": "me"})
        assert (trace_id, who) == ("mine", "me")
        assert remaining_s is not None
        assert 0 < remaining_s <= 60
        assert inner_pid == pid
        _, (_, trace_id, who, remaining_s) = run.ask(1)
        assert (len(trace_id), who, remaining_s) == (32, "", None)
    with pr.Flow(node.options(timeout_s=50)).start() as run:
        _, (_, _, _, remaining_s) = run.ask(1, timeout_s=500)
        assert remaining_s is not None
        assert remaining_s <= 50


@pr.node(timeout_s=0.2)
def hangs(x: int, ctx: pr.Context) -> int:
    return ctx.ask(hanging if x else inner, x)


@pr.node(timeout_s=0.2)
async def hangs_async(x: int, ctx: pr.Context) -> int:
    return await ctx.aask(hanging if x else inner, x)


@pytest.mark.parametrize("node", [hangs, hangs_async], ids=lambda node: node.name)
@pytest.mark.usefixtures("engine")
def test_a_subflow_ends_with_the_time_of_the_node_that_asked(node: pr.Node[int, int]) -> None:
    with pr.Flow(node).start() as run:
        for _ in range(3):
            with pytest.raises(pr.NodeError) as caught:
                run.ask(1)
            assert isinstance(caught.value.__cause__, pr.DeadlineExceeded)
        assert run.ask(0) == 2
    with pr.Flow(node.options(timeout_s=60)).start() as run:
        with pytest.raises(pr.DeadlineExceeded):
            run.ask(1, timeout_s=0.3)
        assert run.ask(0) == 2


@pytest.mark.usefixtures("engine")
def test_cancelling_an_input_gives_up_what_its_node_has_asked(tmp_path: Path) -> None:
    begun, ended = tmp_path / "begun", tmp_path / "ended"

    @pr.node
    async def waits(x: int) -> int:
        begun.touch()
        try:
            await asyncio.Event().wait()
        finally:
            ended.touch()
        return x

    waiting = pr.Flow(waits, name="waiting")

    @pr.node(replicas=1)
    async def asks_waiting(x: int, ctx: pr.Context) -> int:
        return await ctx.aask(waiting, x)

    async def exists(path: Path) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not path.exists():
                await asyncio.sleep(0.01)

    async def main() -> None:
        async with pr.Flow(asks_waiting).start() as run:
            trace_id = await run.asend(1)
            await exists(begun)
            assert not ended.exists()
            assert run.cancel(trace_id) == 1
            await exists(ended)
            (outcome,) = [x async for x in run.aresults(until_idle=True, on_error="yield")]
            assert isinstance(outcome, pr.Cancelled)

    asyncio.run(main())


@pytest.mark.usefixtures("engine")
def test_a_subflow_is_started_once_in_a_replica_and_closed_with_its_node(tmp_path: Path) -> None:
    class Model:
        def __init__(self, log: str) -> None:
            self.log = Path(log)
            self.note("built")

        def note(self, what: str) -> None:
            with self.log.open("a") as log:
                log.write(f"{what}\n")

        def __call__(self, x: int) -> int:
            return x

        def close(self) -> None:
            self.note("closed")

    log = tmp_path / "log"
    flow = pr.Flow(pr.actor(Model)(str(log)), name="model")

    @pr.node(replicas=1)
    def uses(x: int, ctx: pr.Context) -> int:
        return ctx.ask(flow, x)

    with pr.Flow(uses).start() as run:
        assert not log.exists()
        assert run.collect(range(10), ordered=True) == list(range(10))
        assert log.read_text().split() == ["built"]
    assert log.read_text().split() == ["built", "closed"]


@pytest.mark.usefixtures("engine")
def test_a_flow_that_is_started_inside_a_node_runs_there() -> None:
    pids = pr.Flow(seen, name="pids")

    @pr.node
    def maps(x: int) -> list[tuple[int, int]]:
        return [(os.getpid(), found[0]) for found in pids.map(range(x))]

    @pr.node
    async def maps_async(x: int) -> list[tuple[int, int]]:
        return [(os.getpid(), found[0]) for found in await pids.acollect(range(x))]

    for node in (maps, maps_async, maps.options(timeout_s=50), maps.options(concurrency=2)):
        with pr.Flow(node).start() as run:
            found = run.ask(3)
            assert len(found) == 3
            assert all(mine == theirs for mine, theirs in found)


@pytest.mark.usefixtures("engine")
def test_mistakes_with_subflows_say_what_to_do() -> None:
    wrong: Any = asks

    @pr.node
    async def blocks(x: int, ctx: pr.Context) -> int:
        return ctx.ask(inner, x)

    @pr.node
    def asks_a_node(x: int, ctx: pr.Context) -> int:
        return int(ctx.ask(wrong, x))

    @pr.node
    def builds_each_time(x: int, ctx: pr.Context) -> int:
        return sum(ctx.ask(pr.Flow(plus_one), x) for _ in range(40))

    @pr.node
    def asks_for_what_does_not_fit(x: int, ctx: pr.Context) -> int:
        return ctx.ask(inner, wrong)

    for node, kind, text in (
        (blocks, pr.FlowError, "use `await ctx.aask"),
        (asks_a_node, pr.FlowError, "takes a pr.Flow, not"),
        (builds_each_time, pr.FlowError, "build a flow once"),
        (asks_for_what_does_not_fit, ValidationError, "int"),
    ):
        with pr.Flow(node).start() as run, pytest.raises(pr.NodeError, match=text) as caught:
            run.ask(1)
        assert isinstance(caught.value.__cause__, kind)
