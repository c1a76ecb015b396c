"""A rate limits the calls of a node in time, over all its replicas together."""

from __future__ import annotations

import os
import time

import pytest

import penguiray as pr

CALLS = 12
PER_S = 0.4
SAFETY_S = 60.0
FOR_EVER = 3_600.0
"""Longer than any test: what is used up stays used up."""

Begun = tuple[int, int]
"""Process, and time in ns on the clock that all processes of a host share."""


@pr.node(rate=pr.Rate(CALLS, per_s=PER_S), replicas=3)
async def begins(x: int) -> Begun:
    return os.getpid(), time.monotonic_ns()


@pr.node(rate=pr.Rate(CALLS, per_s=PER_S), replicas=3, concurrency=4)
def begins_in_threads(x: int) -> Begun:
    return os.getpid(), time.monotonic_ns()


@pr.node(rate=pr.Rate(CALLS, per_s=PER_S), replicas=3, batch=pr.Batch(max_size=1), concurrency=4)
def begins_batches(xs: list[int]) -> list[Begun]:
    return [(os.getpid(), time.monotonic_ns())]


@pytest.mark.parametrize("node", [begins, begins_in_threads, begins_batches], ids=lambda n: n.name)
def test_no_window_holds_more_begun_calls_than_allowed_over_all_replicas(
    engine: str, node: pr.Node[int, Begun]
) -> None:
    begun = pr.Flow(node).collect(range(4 * CALLS), window=4 * CALLS)
    times = sorted(moment for _, moment in begun)
    assert len(times) == 4 * CALLS
    gaps = [later - moment for moment, later in zip(times, times[CALLS:], strict=False)]
    assert min(gaps) >= PER_S * 1e9
    assert len({process for process, _ in begun}) == (3 if engine == "ray" else 1)


@pr.node(rate=pr.Rate(CALLS, per_s=FOR_EVER), replicas=3)
async def limited(x: int) -> int:
    return x


@pytest.mark.usefixtures("engine")
def test_as_many_calls_as_allowed_begin_at_once_and_one_that_would_wait_past_its_deadline_fails_at_once() -> None:
    with pr.Flow(limited).start() as run:
        assert run.collect(range(CALLS), ordered=True) == list(range(CALLS))
        begun = time.monotonic()
        with pytest.raises(pr.DeadlineExceeded, match=r"'limited': with rate=12 in 3600 s the call cannot begin") as e:
            run.ask(1, timeout_s=SAFETY_S)
        assert time.monotonic() - begun < SAFETY_S / 2
        assert e.value.node == "limited"


@pr.node(rate=pr.Rate(3, per_s=FOR_EVER), retry=pr.Retry(max_attempts=2, initial_s=0))
def fails(x: int) -> int:
    raise ValueError(x)


@pytest.mark.usefixtures("engine")
def test_each_attempt_counts() -> None:
    with pr.Flow(fails).start() as run:
        with pytest.raises(pr.NodeError) as caught:
            run.ask(1)
        assert caught.value.attempt == 2
        with pytest.raises(pr.DeadlineExceeded):
            run.ask(1, timeout_s=SAFETY_S)
        assert [letter.node for letter in run.dead_letters()] == ["fails"] * 2


@pr.node(rate=pr.Rate(2, per_s=FOR_EVER), batch=pr.Batch(max_size=8, max_wait_s=SAFETY_S), replicas=1)
def sizes(xs: list[int]) -> list[int]:
    return [len(xs) for _ in xs]


@pytest.mark.usefixtures("engine")
def test_a_batch_counts_as_one_call() -> None:
    assert pr.Flow(sizes).collect(range(16), window=16) == [8] * 16


@pr.node(rate=pr.Rate(1, per_s=FOR_EVER), replicas=1, timeout_s=0.2)
async def once(x: int) -> int:
    return x


@pytest.mark.usefixtures("engine")
def test_a_run_with_calls_that_wait_for_their_turn_can_be_stopped() -> None:
    run = pr.Flow(once).start()
    results = run.map(range(8), window=8)
    assert next(results) in range(8)
    run.stop()
    with pytest.raises(pr.RunClosed):
        list(results)


@pr.node(rate=pr.Rate(1, per_s=0.5), replicas=1, timeout_s=0.3)
async def in_time(x: int) -> int:
    return x


@pytest.mark.usefixtures("engine")
def test_waiting_for_its_turn_is_not_part_of_a_calls_time() -> None:
    assert sorted(pr.Flow(in_time).collect(range(3))) == [0, 1, 2]
