"""How far a map reads ahead."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import penguiray as pr


@pr.node(replicas=1)
def plus_one(x: int) -> int:
    return x + 1


@pr.node(replicas=1)
def twice(x: int) -> Iterator[int]:
    yield x
    yield x


@pr.node(replicas=1)
async def refuse_third(x: int) -> int:
    if x % 3 == 0:
        raise ValueError(x)
    return x


class Reads:
    """Counts how many inputs were read, and stops at a limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.count = 0

    def __iter__(self) -> Iterator[int]:
        while self.count < self.limit:
            self.count += 1
            yield self.count - 1


@pytest.mark.usefixtures("engine")
def test_no_more_inputs_are_read_than_were_released_and_the_window_allows() -> None:
    with pr.Flow(plus_one).start() as run:
        for window in (1, 3, 10):
            for ordered in (False, True):
                reads = Reads(60)
                seen = []
                for released, result in enumerate(run.map(reads, window=window, ordered=ordered)):
                    assert reads.count <= released + window
                    seen.append(result)
                assert sorted(seen) == list(range(1, 61))


@pytest.mark.usefixtures("engine")
def test_inputs_with_several_results_and_failed_ones_are_released_too() -> None:
    flow = pr.Flow(refuse_third >> twice)
    with flow.start() as run:
        for window in (1, 4):
            reads = Reads(30)
            results = 0
            for result in run.map(reads, window=window, ordered=True, on_error="yield"):
                position = 3 * (results // 5) + (0, 1, 1, 2, 2)[results % 5]
                assert result == position if isinstance(result, int) else position % 3 == 0
                assert reads.count <= position + window
                results += 1
            assert results == 50


@pytest.mark.usefixtures("engine")
def test_the_automatic_window_begins_at_four_times_the_concurrency_of_the_flow() -> None:
    graph = plus_one.options(concurrency=2) >> twice
    assert pr.Flow(graph).plan().concurrency == 3
    with pr.Flow(graph).start() as run:
        for ordered in (False, True):
            reads = Reads(1_000)
            results = run.map(reads, ordered=ordered)
            next(results)
            assert reads.count <= 12
            assert len([1, *results]) == 2_000


@pytest.mark.usefixtures("engine")
def test_an_endless_input_is_read_only_as_far_as_the_loop_goes() -> None:
    reads = Reads(10**9)
    total = 0
    for result in pr.Flow(plus_one).map(reads, window=8):
        total += result
        if total > 1_000:
            break
    assert reads.count < 1_000
