"""Retries, time-outs, deadlines, batches that fail, and what the caller sends along."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

import penguiray as pr

QUICK = pr.Retry(max_attempts=3, initial_s=0)
SAFETY_S = 60.0


@pr.node(retry=QUICK)
def third_time(x: int, ctx: pr.Context) -> int:
    if ctx.attempt < x:
        raise ValueError(x)
    return ctx.attempt


@pr.node(retry=QUICK)
async def third_time_waiting(x: int, ctx: pr.Context) -> int:
    await asyncio.sleep(0)
    if ctx.attempt < x:
        raise ValueError(x)
    return ctx.attempt


@pr.node(retry=QUICK, batch=pr.Batch())
def third_time_batched(xs: list[int], ctx: pr.Context) -> list[int]:
    if ctx.attempt < max(xs):
        raise ValueError(xs)
    return [ctx.attempt for _ in xs]


@pytest.mark.usefixtures("engine")
def test_a_retry_runs_again_until_the_attempts_are_used_up() -> None:
    flow = pr.Flow(pr.fan(third_time, third_time_waiting, third_time_batched))
    with flow.start() as run:
        assert [run.ask_all(x) for x in (1, 2, 3)] == [[1] * 3, [2] * 3, [3] * 3]
        with pytest.raises(pr.NodeError) as caught:
            run.ask_all(4)
        assert caught.value.attempt == 3
        retried = {node.name: node.retried for node in run.status().nodes}
    assert retried == {"third_time": 5, "third_time_waiting": 5, "third_time_batched": 5}


@pr.node(retry=QUICK, deterministic=False)
def differs(x: int, ctx: pr.Context) -> Iterator[int]:
    for _ in range(ctx.attempt):
        yield ctx.attempt
    if ctx.attempt < x:
        raise ValueError(x)


@pr.node(retry=QUICK, deterministic=False)
async def differs_waiting(x: int, ctx: pr.Context) -> AsyncIterator[int]:
    for y in differs(x, ctx):
        await asyncio.sleep(0)
        yield y


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("node", [differs, differs_waiting])
def test_what_a_stream_gave_before_it_failed_is_none_of_the_results_where_the_next_attempt_may_differ(
    node: pr.Node[int, int],
) -> None:
    with pr.Flow(node).start() as run:
        assert [run.ask_all(x) for x in (1, 2, 3)] == [[1], [2, 2], [3, 3, 3]]
        with pytest.raises(pr.NodeError):
            run.ask_all(4)


@pr.node(replicas=1, retry=pr.Retry(max_attempts=3, initial_s=0, budget_ratio=0, budget_reserve=3))
def never(x: int) -> int:
    raise ValueError(x)


@pytest.mark.usefixtures("engine")
def test_when_the_retry_budget_is_used_up_a_failure_is_final_at_once() -> None:
    with pr.Flow(never).start() as run:
        attempts = []
        for _ in range(4):
            with pytest.raises(pr.NodeError) as caught:
                run.ask(1)
            attempts.append(caught.value.attempt)
    assert attempts == [3, 2, 1, 1]


@pr.node(retry=pr.Retry(initial_s=0, on=(KeyError, TimeoutError)), replicas=1)
def fails_by_kind(kind: str, ctx: pr.Context) -> int:
    if kind == "key":
        raise KeyError(kind)
    if kind == "value":
        raise ValueError(kind)
    return ctx.attempt


@pytest.mark.usefixtures("engine")
def test_only_the_exceptions_that_retry_names_are_tried_again() -> None:
    with pr.Flow(fails_by_kind).start() as run:
        attempts = {}
        for kind in ("key", "value"):
            with pytest.raises(pr.NodeError) as caught:
                run.ask(kind)
            attempts[kind] = caught.value.attempt
        assert run.ask("none") == 1
    assert attempts == {"key": 3, "value": 1}


@pr.node(retry=QUICK)
def counts_up(x: int, ctx: pr.Context) -> Iterator[int]:
    ctx.emit(-1)
    for number in range(x):
        if number == ctx.attempt:
            raise ValueError(number)
        yield number


@pr.node
def negate(x: int) -> int:
    return -x


@pytest.mark.usefixtures("engine")
def test_a_generator_that_is_run_again_gives_nothing_twice() -> None:
    with pr.Flow(counts_up >> negate).start() as run:
        assert sorted(run.ask_all(3)) == [-2, -1, 0, 1]
        results = list(run.map([4], on_error="yield"))
    assert sorted(result for result in results if isinstance(result, int)) == [-2, -1, 0, 1]
    assert [result.attempt for result in results if isinstance(result, pr.NodeError)] == [3]


@pr.node(timeout_s=0.5)
async def hangs_waiting(x: int) -> int:
    if x == 0:
        await asyncio.Event().wait()
    return x


@pr.node(timeout_s=0.5, retry=pr.Retry(max_attempts=2, initial_s=0))
async def hangs_once(x: int, ctx: pr.Context) -> int:
    if ctx.attempt == 1:
        await asyncio.Event().wait()
    return x


@pr.node(timeout_s=1.0, replicas=1)
def hangs(x: int) -> int:
    if x == 0:
        threading.Event().wait(2.0)
    return x


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("node", [hangs_waiting, hangs, hangs.options(concurrency=2)])
def test_a_call_that_overruns_its_time_fails_and_the_others_go_on(node: pr.Node[int, int]) -> None:
    with pr.Flow(node).start() as run:
        results = list(run.map(range(8), ordered=True, on_error="yield", window=8))
        assert run.ask(5) == 5
    error, *others = results
    assert others == list(range(1, 8))
    assert isinstance(error, pr.NodeError)
    assert isinstance(error.__cause__, TimeoutError)
    assert isinstance(error.__cause__, pr.DeadlineExceeded)
    assert error.__cause__.timeout_s == node.spec.options.timeout_s


@pytest.mark.usefixtures("engine")
def test_each_attempt_has_its_full_time() -> None:
    with pr.Flow(hangs_once).start() as run:
        assert run.ask(3) == 3


@pr.node
async def tells_remaining(x: int, ctx: pr.Context) -> list[float]:
    return [] if ctx.remaining_s is None else [ctx.remaining_s]


@pr.node
async def hangs_with_a_limit(remaining: list[float]) -> list[float]:
    if remaining:
        await asyncio.Event().wait()
    return remaining


@pytest.mark.usefixtures("engine")
def test_the_callers_time_travels_along_as_a_deadline() -> None:
    with pr.Flow(tells_remaining).start() as run:
        (remaining,) = run.ask(1, timeout_s=SAFETY_S)
        assert 0 < remaining <= SAFETY_S
        assert run.ask(1) == []


@pytest.mark.usefixtures("engine")
def test_a_caller_whose_time_is_over_gets_deadline_exceeded_and_the_run_goes_on() -> None:
    with pr.Flow(tells_remaining >> hangs_with_a_limit).start() as run:
        for _ in range(2):
            with pytest.raises(pr.DeadlineExceeded):
                run.ask(1, timeout_s=0.2)
        assert run.ask(1) == []
        assert run.status().inputs_live == 0


@pr.node
def tells_trace(x: int, ctx: pr.Context) -> list[tuple[str, dict[str, str]]]:
    return [(ctx.trace_id, dict(ctx.headers))]


@pr.node
def adds_trace(seen: list[Any], ctx: pr.Context) -> list[Any]:
    return [*seen, (ctx.trace_id, dict(ctx.headers))]


@pr.node
async def adds_trace_waiting(seen: list[Any], ctx: pr.Context) -> list[Any]:
    return [*seen, (ctx.trace_id, dict(ctx.headers))]


@pytest.mark.usefixtures("engine")
def test_headers_and_trace_ids_reach_every_node_behind_a_fan_out() -> None:
    graph = tells_trace >> (adds_trace, adds_trace_waiting) >> adds_trace.options(name="last")
    with pr.Flow(graph).start() as run:
        given = run.ask_all(1, trace_id="mine", headers={"who": "me"})
        derived = run.ask_all(1)
        mapped = run.collect(range(5), headers={"who": "you"})
    assert given == [[("mine", {"who": "me"})] * 3] * 2
    traces = {trace for seen in derived for trace, headers in seen if headers == {}}
    assert len(derived) == 2
    assert len(traces) == 1
    assert all(len(trace) == 32 and int(trace, 16) >= 0 for trace in traces)
    assert all(len({trace for trace, _ in seen}) == 1 and len(seen) == 3 for seen in mapped)
    assert {who for seen in mapped for _, headers in seen for who in headers.values()} == {"you"}
    assert len({trace for seen in mapped for trace, _ in seen} | traces) == 6


@pr.node(batch=pr.Batch(max_size=2, max_wait_s=0.2), replicas=1)
def batch_without_zero(xs: list[int]) -> list[tuple[int, ...]]:
    if 0 in xs:
        raise ValueError(xs)
    return [tuple(xs) for _ in xs]


def refuses(xs: list[int]) -> list[tuple[int, int]]:
    """Gives each number with the size of the call that went well; fails for the bad ones."""
    if {3, 10} & set(xs):
        raise ValueError(xs)
    return [(x, len(xs)) for x in xs]


@pytest.mark.usefixtures("engine")
def test_the_bad_ones_of_a_batch_are_found_where_the_node_may_be_called_again() -> None:
    retry = pr.Retry(max_attempts=2, initial_s=0.001)
    node = pr.node(batch=pr.Batch(max_size=16, max_wait_s=1.0), replicas=1, retry=retry)(refuses)
    with pr.Flow(node).start() as run:
        results = list(run.map(range(16), on_error="yield", window=16))
        (counts,) = run.status().nodes
    kept = {result for result in results if isinstance(result, tuple)}
    errors = [result for result in results if isinstance(result, pr.NodeError)]
    assert {x for x, _ in kept} == {*range(16)} - {3, 10}
    assert sorted(error.index for error in errors if error.index is not None) == [3, 10]
    assert all(error.__cause__ is not None and len(error.__cause__.args[0]) == 1 for error in errors)
    assert max(size for _, size in kept) >= 4, "what is good stays together"
    assert (counts.failed, counts.given) == (2, 14)
    assert counts.retried <= 1 + 2 * (1 + 2 + 2 + 2)


@pytest.mark.usefixtures("engine")
def test_a_batch_fails_as_a_whole_when_the_node_has_no_retries_left() -> None:
    retry = pr.Retry(max_attempts=2, initial_s=0.001, budget_ratio=0.0, budget_reserve=1)
    node = pr.node(batch=pr.Batch(max_size=16, max_wait_s=1.0), replicas=1, retry=retry)(refuses)
    with pr.Flow(node).start() as run:
        results = list(run.map(range(16), on_error="yield", window=16))
    assert len(results) == 16
    assert all(isinstance(result, pr.NodeError) and result.attempt == 2 for result in results)


@pytest.mark.usefixtures("engine")
def test_an_item_that_fails_a_batch_fails_its_members_only() -> None:
    with pr.Flow(batch_without_zero).start() as run:
        results = list(run.map(range(6), on_error="yield", window=6))
        letters = run.dead_letters()
    values = {letter.value for letter in letters}
    assert 0 in values
    assert len(values) <= 2
    kept = [result for result in results if isinstance(result, tuple)]
    assert sorted(x for batch in set(kept) for x in batch) == sorted({*range(6)} - values)
    errors = [result for result in results if isinstance(result, pr.NodeError)]
    assert len(errors) == len(values)
    assert all(isinstance(error.__cause__, ValueError) for error in errors)


@pr.node(batch=pr.Batch(), replicas=1)
def batch_too_short(xs: list[int]) -> list[int]:
    return [] if xs == [0] else (7 if xs == [1] else [*xs, 0])  # type: ignore[return-value]


@pr.node(batch=pr.Batch())
async def batch_cancels_itself(xs: list[int]) -> list[int]:
    raise asyncio.CancelledError


@pytest.mark.usefixtures("engine")
def test_a_batch_answered_with_another_length_fails_and_says_how_it_should_be() -> None:
    hint = r"return one entry per input \(None for nothing, pr.Many\(...\) for several\)"
    with pr.Flow(batch_too_short).start() as run:
        with pytest.raises(pr.NodeError, match=rf"'batch_too_short'.*returned 0 results for a batch of 1; {hint}"):
            run.ask(0)
        with pytest.raises(pr.NodeError, match="returned int for a batch of 1"):
            run.ask(1)
        with pytest.raises(pr.NodeError, match="returned 2 results for a batch of 1"):
            run.ask(2)


@pr.node
async def cancels_itself(x: int) -> int:
    raise asyncio.CancelledError


@pytest.mark.usefixtures("engine")
def test_a_node_that_cancels_its_own_task_fails_like_any_other() -> None:
    with pr.Flow(pr.fan(cancels_itself, batch_cancels_itself)).start() as run:
        with pytest.raises(pr.NodeError, match="cancelled its own task"):
            run.ask(1, timeout_s=SAFETY_S)
        assert len(run.dead_letters()) == 2


class Order(BaseModel):
    amount: int


@pr.node(replicas=1)
def loosely(x: Any) -> Any:
    return x


@pr.node(validate=True, replicas=1)
def strictly(order: Order) -> int:
    return order.amount


@pr.node(validate=True, batch=pr.Batch())
def strictly_batched(orders: list[Order]) -> list[int]:
    return [order.amount for order in orders]


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("node", [strictly, strictly_batched])
def test_a_node_that_asks_for_it_has_its_messages_checked(node: pr.Node[Any, int]) -> None:
    with pr.Flow(loosely >> node).start() as run:
        assert run.ask({"amount": "5"}) == 5
        assert run.ask(Order(amount=6)) == 6
        with pytest.raises(pr.NodeError, match="amount") as caught:
            run.ask({"amount": "many"})
        assert isinstance(caught.value.__cause__, ValidationError | pr.RemoteError)
