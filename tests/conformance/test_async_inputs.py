"""`amap` and `acollect` over inputs that have to be awaited."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ValidationError

import penguiray as pr

PATIENCE_S = 60.0


@pr.node
def plus_one(x: int) -> int:
    return x + 1


class Source:
    """Counts up to a number, or for ever; says how far it was read, and whether and by which task it was closed."""

    def __init__(self, size: int | None = None, error: Exception | None = None) -> None:
        self.size = size
        self.error = error
        self.read = 0
        self.tasks: set[asyncio.Task[object] | None] = set()
        self.is_closed = False

    async def items(self) -> AsyncIterator[int]:
        try:
            while self.size is None or self.read < self.size:
                self.tasks.add(asyncio.current_task())
                await asyncio.sleep(0)
                self.read += 1
                yield self.read - 1
            if self.error is not None:
                raise self.error
        finally:
            self.tasks.add(asyncio.current_task())
            self.is_closed = True


@pytest.mark.usefixtures("engine")
def test_inputs_may_be_an_async_iterable() -> None:
    async def main() -> None:
        flow = pr.Flow(plus_one)
        async with flow.start() as run:
            source = Source(300)
            assert [x async for x in run.amap(source.items(), ordered=True)] == list(range(1, 301))
            assert source.is_closed
            assert len(source.tasks) == 1
            assert await run.acollect(Source(0).items()) == []
            assert sorted(await run.acollect(Source(20).items(), window=3)) == list(range(1, 21))
        assert [x async for x in flow.amap(Source(5).items(), ordered=True)] == [1, 2, 3, 4, 5]
        assert sorted(await flow.acollect(Source(5).items())) == [1, 2, 3, 4, 5]

    asyncio.run(main())


@pytest.mark.usefixtures("engine")
def test_async_inputs_are_read_within_the_window_and_closed_when_the_loop_is_left() -> None:
    async def main() -> None:
        async with pr.Flow(plus_one).start() as run:
            source = Source()
            taken = 0
            async with run.amap(source.items(), window=5) as results:
                async for _ in results:
                    taken += 1
                    assert source.read <= taken + 5
                    if taken == 50:
                        break
            assert source.is_closed
            assert source.read <= 55
            assert len(source.tasks) == 1
            assert run.status().inputs_live == 0
            assert await run.aask(1) == 2

    asyncio.run(main())


@pytest.mark.usefixtures("engine")
def test_an_error_of_async_inputs_reaches_the_loop() -> None:
    async def main() -> None:
        async with pr.Flow(plus_one).start() as run:
            source = Source(3, ConnectionError("source"))
            with pytest.raises(ConnectionError, match="source"):
                await run.acollect(source.items())
            assert run.status().inputs_live == 0
            assert await run.aask(1) == 2

    asyncio.run(main())


@pytest.mark.usefixtures("engine")
def test_an_async_input_that_does_not_fit_fails_alone() -> None:
    async def inputs() -> AsyncIterator[int]:
        for x in (1, "two", 3):
            yield x  # type: ignore[misc]  # the mistake under test

    async def main() -> None:
        async with pr.Flow(plus_one).start() as run:
            outcomes = [x async for x in run.amap(inputs(), ordered=True, on_error="yield")]
            assert [type(x) for x in outcomes] == [int, ValidationError, int]

    asyncio.run(main())


@pytest.mark.usefixtures("engine")
def test_results_come_while_the_next_async_input_is_awaited() -> None:
    async def main() -> None:
        more = asyncio.Event()

        async def inputs() -> AsyncIterator[int]:
            yield 1
            await more.wait()
            yield 2

        async with pr.Flow(plus_one).start() as run:
            given = []
            async for x in run.amap(inputs()):
                given.append(x)
                more.set()
            assert given == [2, 3]

    asyncio.run(main())


@pytest.mark.usefixtures("engine")
def test_drain_and_stop_end_a_map_that_waits_for_its_async_inputs() -> None:
    async def main() -> None:
        closed = []

        async def inputs() -> AsyncIterator[int]:
            try:
                yield 1
                await asyncio.Event().wait()
            finally:
                closed.append(True)

        run = pr.Flow(plus_one).start()
        results = run.amap(inputs())
        assert await anext(results) == 2
        rest = asyncio.create_task(anext(results, None))
        await run.adrain()
        assert await asyncio.wait_for(rest, PATIENCE_S) is None

        run = pr.Flow(plus_one).start()
        results = run.amap(inputs())
        assert await anext(results) == 2
        rest = asyncio.create_task(anext(results, None))
        await run.astop()
        with contextlib.suppress(pr.RunClosed):
            await asyncio.wait_for(rest, PATIENCE_S)
        assert isinstance(rest.exception(), pr.RunClosed)
        assert closed == [True, True]

    asyncio.run(main())


@pytest.mark.usefixtures("engine")
def test_sync_calls_refuse_async_inputs_and_name_their_twins() -> None:
    flow = pr.Flow(plus_one)
    inputs: Any = Source(1).items()
    with flow.start() as run:
        for call, twin in (
            (run.map, "amap"),
            (run.collect, "acollect"),
            (flow.map, "amap"),
            (flow.collect, "acollect"),
        ):
            with pytest.raises(pr.FlowError, match=rf"cannot read an async iterable \(async_generator\); use {twin}\("):
                call(inputs)
