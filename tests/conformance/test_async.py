"""The same calls from async code, and sync calls where a loop runs."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator

import pytest

import penguiray as pr


@pr.node
def plus_one(x: int) -> int:
    return x + 1


@pr.node
def times(x: int) -> Iterator[int]:
    for _ in range(x):
        yield x


@pr.node
def refuse_odd(x: int) -> int:
    if x % 2:
        raise ValueError(x)
    return x


@pytest.mark.usefixtures("engine")
def test_every_call_has_a_twin_that_gives_the_same() -> None:
    async def main() -> None:
        async with pr.Flow(times).start() as run:
            assert await run.aask(1) == 1
            assert await run.aask_all(2) == [2, 2]
            with pytest.raises(pr.NoResult):
                await run.aask(0)
            assert await asyncio.gather(*(run.aask_all(x) for x in range(10))) == [[x] * x for x in range(10)]
            assert [x async for x in run.amap([1, 2, 0, 1], ordered=True)] == [1, 2, 2, 1]
            assert sorted(await run.acollect([3, 1])) == [1, 3, 3, 3]
        with pytest.raises(pr.RunClosed):
            await run.aask(1)

    asyncio.run(main())


@pytest.mark.usefixtures("engine")
def test_a_run_is_readied_drained_and_stopped_from_async_code() -> None:
    async def main() -> None:
        run = pr.Flow(plus_one).start()
        await run.await_ready()
        assert run.status().state == "running"
        results = run.amap(iter(range(100)), window=5)
        given = [await anext(results)]
        await run.adrain()
        given += [result async for result in results]
        assert sorted(given) == list(range(1, len(given) + 1))
        await run.adrain()
        await run.astop()
        assert run.status().state == "stopped"
        with pytest.raises(pr.RunClosed):
            await run.acollect([1])

    asyncio.run(main())


@pytest.mark.usefixtures("engine")
def test_a_map_of_the_flow_runs_from_async_code_and_its_loop_may_be_left() -> None:
    async def main() -> None:
        flow = pr.Flow(plus_one)
        assert [x async for x in flow.amap(range(20), ordered=True)] == list(range(1, 21))
        assert sorted(await flow.acollect(range(5))) == [1, 2, 3, 4, 5]
        async with flow.amap(iter(int, 1), window=4) as results:
            async for result in results:
                assert result == 1
                break
        assert await anext(results, None) is None

    asyncio.run(main())


@pytest.mark.usefixtures("engine")
def test_errors_reach_async_callers_as_they_reach_others() -> None:
    async def main() -> None:
        async with pr.Flow(refuse_odd).start() as run:
            with pytest.raises(pr.NodeError) as caught:
                await run.aask(1)
            assert isinstance(caught.value.__cause__, ValueError)
            results = [x async for x in run.amap(range(4), ordered=True, on_error="yield")]
            assert [type(x) for x in results] == [int, pr.NodeError, int, pr.NodeError]
            assert await run.acollect(range(4), on_error="skip", ordered=True) == [0, 2]

    asyncio.run(main())


@pytest.mark.usefixtures("engine")
def test_an_exception_in_the_block_stops_the_run() -> None:
    async def main() -> None:
        async with pr.Flow(plus_one).start() as run:
            try:
                raise KeyError("mine")
            finally:
                kept.append(run)

    kept: list[pr.Run[int, int]] = []
    with pytest.raises(KeyError):
        asyncio.run(main())
    assert kept[0].status().state == "stopped"


@pytest.mark.usefixtures("engine")
def test_a_sync_call_inside_a_running_loop_works_and_warns_once() -> None:
    async def main() -> None:
        with pr.Flow(plus_one).start() as run:
            for x in range(3):
                assert run.ask(x) == x + 1
            with pytest.warns(RuntimeWarning, match="acollect"):
                assert run.collect([1]) == [2]
            with pytest.warns(RuntimeWarning, match="amap"):
                assert list(run.map([1])) == [2]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        asyncio.run(main())
    texts = [str(warning.message) for warning in caught if warning.category is RuntimeWarning]
    assert len(texts) == 1
    assert "aask" in texts[0]


@pytest.mark.usefixtures("engine")
def test_a_sync_call_of_a_flow_inside_a_running_loop_warns_once_at_the_users_line_and_names_the_flows_twin() -> None:
    flow = pr.Flow(plus_one)

    async def main() -> None:
        assert flow.collect([1]) == [2]
        assert list(flow.map([1])) == [2]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(main())
    ours = [warning for warning in caught if warning.category is RuntimeWarning]
    assert [str(warning.message) for warning in ours] == [
        f"flow.{call}() blocks the event loop that runs here; use flow.a{call}() instead" for call in ("collect", "map")
    ]
    assert {warning.filename for warning in ours} == {__file__}


@pytest.mark.usefixtures("engine")
def test_one_run_serves_sync_callers_of_several_threads_at_once() -> None:
    async def main(run: pr.Run[int, int]) -> list[list[int]]:
        calls = [asyncio.to_thread(run.collect, range(20), ordered=True) for _ in range(4)]
        return await asyncio.gather(*calls)

    with pr.Flow(plus_one).start() as run:
        assert run.ask(0) == 1
        assert asyncio.run(main(run)) == [list(range(1, 21))] * 4
        assert run.ask(1) == 2
