"""Where sync code runs, and what becomes of code that does not return in time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from penguiray.runtime import executor as module
from penguiray.runtime.executor import InlineExecutor, StuckError, ThreadExecutor

SAFETY_S = 30.0


def refuse(error: BaseException) -> None:
    raise error


def test_inline_code_runs_in_the_callers_thread_and_other_code_beside_it() -> None:
    async def main() -> None:
        threads = ThreadExecutor(2, "beside")
        assert await InlineExecutor().call(threading.get_ident) == threading.get_ident()
        assert await threads.call(threading.get_ident) != threading.get_ident()
        assert (await threads.call(threading.current_thread)).name.startswith("beside-")
        threads.close()

    asyncio.run(main())


@pytest.mark.parametrize("error", [ValueError("x"), StopIteration(), SystemExit(1), KeyboardInterrupt()])
def test_whatever_code_in_a_thread_raises_reaches_its_caller(error: BaseException) -> None:
    async def main() -> None:
        threads = ThreadExecutor(1, "t")
        with pytest.raises((ValueError, RuntimeError)) as caught:
            await threads.call(refuse, error)
        assert error in (caught.value, caught.value.__cause__)
        assert await threads.call(int, "7") == 7
        threads.close()

    asyncio.run(main())


@pytest.mark.parametrize("inline", [True, False])
def test_a_stream_gives_all_items_in_order_and_then_its_error(inline: bool) -> None:
    def items() -> Iterator[int]:
        yield from range(5_000)
        raise ValueError("end")

    async def main() -> None:
        executor = InlineExecutor() if inline else ThreadExecutor(1, "t")
        seen: list[int] = []

        async def read() -> None:
            async for group in executor.stream(items):
                seen.extend(group)

        with pytest.raises(ValueError, match="end"):
            await read()
        assert seen == list(range(5_000))
        executor.close()

    asyncio.run(main())


def test_a_stream_that_nobody_reads_waits_and_ends_when_it_is_left() -> None:
    made, over = [], threading.Event()

    def items() -> Iterator[int]:
        try:
            for number in range(1_000_000):
                made.append(number)
                yield number
        finally:
            over.set()

    async def main() -> None:
        threads = ThreadExecutor(1, "t")
        stream = threads.stream(items)
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
        assert await asyncio.to_thread(over.wait, SAFETY_S)
        threads.close()

    asyncio.run(main())
    assert len(made) < 1_000_000


def test_a_thread_that_overran_is_waited_for_and_given_up_after_the_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        threads, release = ThreadExecutor(1, "t"), threading.Event()
        await threads.ready()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await threads.call(release.wait, SAFETY_S)
        monkeypatch.setattr(module, "OVERRUN_GRACE_S", 0.01)
        with pytest.raises(StuckError):
            await threads.ready()
        monkeypatch.setattr(module, "OVERRUN_GRACE_S", SAFETY_S)
        asyncio.get_running_loop().call_soon(release.set)
        await threads.ready()
        assert await threads.call(int, "7") == 7
        threads.close()

    asyncio.run(main())


def test_a_call_that_was_cancelled_before_it_began_never_runs() -> None:
    async def main() -> None:
        threads, release, ran = ThreadExecutor(1, "t"), threading.Event(), list[int]()
        first = asyncio.create_task(threads.call(release.wait, SAFETY_S))
        second = asyncio.create_task(threads.call(ran.append, 1))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([second])
        release.set()
        assert await first
        await threads.call(int)
        assert ran == []
        threads.close()

    asyncio.run(main())


def test_a_call_is_not_begun_while_every_thread_is_held_by_others() -> None:
    async def main() -> None:
        threads, gate = ThreadExecutor(2, "t"), threading.Event()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await threads.call(gate.wait, 60)
        assert await threads.call(int, "1") == 1, "one thread overran, the other is free"
        second = asyncio.ensure_future(threads.call(gate.wait, 60))
        await asyncio.sleep(0)
        ready = asyncio.ensure_future(threads.ready())
        await asyncio.sleep(0)
        assert not ready.done()
        gate.set()
        await ready
        assert await second
        threads.close()

    asyncio.run(main())
