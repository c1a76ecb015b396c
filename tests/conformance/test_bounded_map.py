"""`pr.bounded_map`: many awaits inside one call of a node."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import penguiray as pr


class Crowd:
    """Counts who is inside at the same time."""

    def __init__(self) -> None:
        self.inside = self.most = self.left = 0

    async def visit(self, x: int) -> int:
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            for _ in range(10 - x):
                await asyncio.sleep(0)
            if x == 7:
                raise KeyError("seven")
            if x == 9:
                await asyncio.Event().wait()
            return x * x
        finally:
            self.inside -= 1
            self.left += 1


@pr.node
async def squares(n: int) -> tuple[list[int], int]:
    crowd = Crowd()
    return await pr.bounded_map(crowd.visit, range(n), limit=3), crowd.most


@pr.node
async def who_is_left(n: int) -> tuple[str, int]:
    crowd = Crowd()
    try:
        await pr.bounded_map(crowd.visit, [9, 9, n])
    except KeyError as error:
        return repr(error), crowd.inside
    return "no failure", crowd.inside


@pytest.mark.usefixtures("engine")
def test_results_come_in_the_order_of_the_items_and_no_more_than_the_limit_run() -> None:
    with pr.Flow(squares).start() as run:
        assert run.ask(7) == ([0, 1, 4, 9, 16, 25, 36], 3)
        assert run.ask(2) == ([0, 1], 2)
        assert run.ask(0) == ([], 0)


@pytest.mark.usefixtures("engine")
def test_the_first_failure_is_raised_as_itself_and_ends_the_others() -> None:
    with pr.Flow(who_is_left).start() as run:
        assert run.ask(7) == ("KeyError('seven')", 0)


@pytest.mark.usefixtures("engine")
def test_a_failure_that_the_node_does_not_catch_is_the_cause_of_its_error() -> None:
    with pr.Flow(squares).start() as run, pytest.raises(pr.NodeError) as caught:
        run.ask(8)
    assert isinstance(caught.value.__cause__, KeyError)


def test_items_are_read_as_calls_begin() -> None:
    read: list[int] = []

    def items() -> Iterator[int]:
        for x in range(4):
            read.append(x)
            yield x

    async def note(x: int) -> int:
        await asyncio.sleep(0)
        return len(read) - x

    assert max(asyncio.run(pr.bounded_map(note, items(), limit=2))) <= 2


def test_a_cancelled_caller_leaves_nothing_behind() -> None:
    crowd = Crowd()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await pr.bounded_map(crowd.visit, [9] * 20, limit=5)

    asyncio.run(main())
    assert (crowd.inside, crowd.left) == (0, 5)


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(pr.FlowError, match="limit must be at least 1, not 0"):
        asyncio.run(pr.bounded_map(Crowd().visit, [1], limit=0))
