"""Batches whose size penguiray finds: `batch="auto"`."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import numpy as np
import pytest

import penguiray as pr

CALL_S = 0.002
"""Fixed time of a call: with nothing to pay for a message, more messages are always quicker."""
SAFETY_S = 60.0
N = 3_000

Sized = tuple[int, int]
"""An input, and the size of the batch that it was in."""


@pr.node(batch="auto", replicas=1)
def sized(xs: list[int]) -> list[Sized | pr.Many[Sized] | None]:
    time.sleep(CALL_S)
    made = [(x, len(xs)) for x in xs]
    return [None if x == 0 else pr.Many([one, one]) if x < 0 else one for x, one in zip(xs, made, strict=True)]


@pr.node(batch="auto", replicas=1, concurrency=4)
async def sized_waiting(xs: list[int]) -> list[Sized | pr.Many[Sized] | None]:
    await asyncio.sleep(CALL_S)
    made = [(x, len(xs)) for x in xs]
    return [None if x == 0 else pr.Many([one, one]) if x < 0 else one for x, one in zip(xs, made, strict=True)]


class SizedClass:
    def __init__(self, tag: str) -> None:
        self.tag = tag

    def __call__(self, xs: list[int], ctx: pr.Context) -> list[Sized | pr.Many[Sized] | None]:
        time.sleep(CALL_S)
        assert (ctx.attempt, self.tag) == (1, "tag")
        made = [(x, len(xs)) for x in xs]
        return [None if x == 0 else pr.Many([one, one]) if x < 0 else one for x, one in zip(xs, made, strict=True)]


sized_class = pr.actor(batch="auto", replicas=1)(SizedClass)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("node", [sized, sized_waiting, sized_class("tag")], ids=["sync", "async", "class"])
def test_batches_grow_with_the_load_and_give_one_entry_per_input(node: pr.Node[int, Sized]) -> None:
    with pr.Flow(node).start() as run:
        assert run.ask(7) == (7, 1)
        assert run.ask_all(0) == []
        results = run.collect(range(-5, N))
        alone = run.ask(7)
    assert Counter(x for x, _ in results) == Counter([*range(-5, 0), *range(-5, 0), *range(1, N)])
    assert max(size for _, size in results) > 8
    assert alone == (7, 1), "a message that comes alone does not wait for others"


@pr.node(batch="auto", replicas=1)
def doubled(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return rows * 2


@pytest.mark.usefixtures("engine")
def test_columns_grow_as_lists_do() -> None:
    results = pr.Flow(doubled).collect([np.array([x, x]) for x in range(500)], ordered=True)
    assert [int(row[1]) for row in results] == [2 * x for x in range(500)]


MEMORY = 12
"""Messages for which memory suffices."""


class OutOfMemoryError(RuntimeError):
    """As torch has it."""


def fits(xs: list[int]) -> list[Sized]:
    time.sleep(CALL_S)
    if len(xs) > MEMORY:
        raise OutOfMemoryError(f"tried to allocate {len(xs)} GiB")
    return [(x, len(xs)) for x in xs]


@pytest.mark.usefixtures("engine")
def test_where_memory_ran_out_batches_are_smaller_from_then_on() -> None:
    with pr.Flow(pr.node(batch="auto", replicas=1)(fits)).start() as run:
        results = list(run.map(range(N), on_error="yield"))
    errors = [result for result in results if isinstance(result, pr.NodeError)]
    assert len(results) == N
    assert 0 < len(errors) < 10 * MEMORY, "a batch fails as a whole, but only a few do"
    assert all("GiB" in str(error.__cause__) and error.attempt == 1 for error in errors)
    assert len({x for x, _ in (one for one in results if isinstance(one, tuple))}) == N - len(errors)


@pytest.mark.usefixtures("engine")
def test_with_a_retry_no_message_fails_for_the_size_of_its_batch() -> None:
    retry = pr.Retry(max_attempts=2, initial_s=SAFETY_S, max_s=SAFETY_S)  # the halves do not wait for it
    with pr.Flow(pr.node(batch="auto", replicas=1, retry=retry)(fits)).start() as run:
        results = run.collect(range(N))
        (counts,) = run.status().nodes
    assert sorted(x for x, _ in results) == list(range(N))
    assert max(size for _, size in results) <= MEMORY
    assert counts.failed == 0
    assert counts.retried > 0


@pr.node(batch="auto", replicas=1)
def slow_with_many(xs: list[int]) -> list[Sized]:
    time.sleep(0.02 + 0.005 * len(xs))
    return [(x, len(xs)) for x in xs]


@pytest.mark.usefixtures("engine")
def test_a_batch_is_no_larger_than_its_members_have_time_for() -> None:
    async def asked(timeout_s: float) -> list[Sized | BaseException]:
        async with pr.Flow(slow_with_many).start() as run:
            largest, rounds = 0, 0
            while largest <= 45 and rounds < 10:  # on a busy machine a size takes longer to be found
                largest = max(size for _, size in await run.acollect(range(250)))
                rounds += 1
            asks = (run.aask(x, timeout_s=timeout_s) for x in range(60))
            return await asyncio.gather(*asks, return_exceptions=True)

    answers = asyncio.run(asked(0.4))
    assert all(isinstance(one, tuple | pr.DeadlineExceeded) for one in answers), "a busy machine may be late"
    assert max((one[1] for one in answers if isinstance(one, tuple)), default=0) <= 45, "36 take half of 0.4 s"
