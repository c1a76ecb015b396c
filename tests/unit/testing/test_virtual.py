"""Virtual time: waiting takes none of the test's own, and takes exactly as long as it says."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

import penguiray as pr
from penguiray.local import LocalEngine
from penguiray.testing import VirtualClock, virtual_time

AN_HOUR = 3600.0
MOMENT_S = 3.0
"""Real seconds that a test of hours may take on a busy machine; alone it takes a tenth."""


@pr.node
async def sleeps_an_hour(x: int) -> int:
    await asyncio.sleep(AN_HOUR)
    return x


@pr.node
async def never_returns(x: int) -> int:
    await asyncio.Event().wait()
    return x


@pr.node
def same(x: int) -> int:
    return x


@pytest.fixture(autouse=True)
def _in_no_time() -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < MOMENT_S


def test_a_node_that_sleeps_an_hour_takes_an_hour_of_the_clock_and_none_of_the_test(
    virtual_clock: VirtualClock,
) -> None:
    with pr.Flow(sleeps_an_hour).start() as run:
        assert run.ask(1) == 1
        assert virtual_clock.now() == AN_HOUR
        assert sorted(run.map(range(32))) == list(range(32))
        assert virtual_clock.now() == 2 * AN_HOUR
        assert run.status().seconds == 2 * AN_HOUR


def test_pauses_before_retries_take_virtual_time(virtual_clock: VirtualClock) -> None:
    tries: list[float] = []

    @pr.node(retry=pr.Retry(max_attempts=4, initial_s=120.0, max_s=600.0))
    def flaky(x: int) -> int:
        tries.append(virtual_clock.now())
        if len(tries) < 4:
            raise OSError
        return x

    with pr.Flow(flaky).start() as run:
        assert run.ask(1) == 1
    pauses = [after - before for before, after in pairwise(tries)]
    assert all(0.0 < pause <= bound for pause, bound in zip(pauses, (120.0, 240.0, 480.0), strict=True))


def test_a_call_that_takes_longer_than_its_time_is_ended_at_that_time(virtual_clock: VirtualClock) -> None:
    with pr.Flow(sleeps_an_hour.options(timeout_s=90.0)).start() as run:
        with pytest.raises(pr.NodeError) as caught:
            run.ask(1)
        assert isinstance(caught.value.__cause__, pr.DeadlineExceeded)
        assert virtual_clock.now() == 90.0


@pytest.mark.parametrize("node", [never_returns, sleeps_an_hour])
def test_the_callers_patience_ends_in_virtual_time(virtual_clock: VirtualClock, node: pr.Node[int, int]) -> None:
    with pr.Flow(node).start() as run:
        with pytest.raises(pr.DeadlineExceeded):
            run.ask(1, timeout_s=60.0)
        assert virtual_clock.now() == 60.0


def test_a_batch_that_is_not_full_waits_its_time(virtual_clock: VirtualClock) -> None:
    cut: list[tuple[float, int]] = []

    @pr.node(batch=pr.Batch(max_size=8, max_wait_s=45.0))
    def batched(xs: list[int]) -> list[int]:
        cut.append((virtual_clock.now(), len(xs)))
        return xs

    with pr.Flow(batched).start() as run:
        assert run.ask(1) == 1
        assert sorted(run.map(range(8), window=8)) == list(range(8))
    assert cut == [(45.0, 1), (45.0, 8)]


def test_async_code_has_virtual_time_on_both_sides_of_a_call() -> None:
    async def main() -> None:
        async with pr.Flow(sleeps_an_hour).start() as run:
            assert await run.aask(1) == 1
            assert len(await run.acollect(range(32))) == 32
        assert clock.now() == 2 * AN_HOUR
        async with pr.Flow(never_returns).start() as run:
            with pytest.raises(pr.DeadlineExceeded):
                await run.aask(1, timeout_s=60.0)
        await asyncio.sleep(AN_HOUR)

    with virtual_time() as clock:
        clock.run(main())
        assert clock.now() == 3 * AN_HOUR + 60.0


def test_time_stands_still_while_a_thread_works(virtual_clock: VirtualClock) -> None:
    @pr.node(timeout_s=0.001)
    def slow(x: int) -> int:
        time.sleep(0.05)
        return x

    @pr.node
    async def in_a_thread(x: int) -> int:
        async with asyncio.timeout(0.001):
            return await asyncio.to_thread(slow, x)

    with pr.Flow(slow >> in_a_thread).start() as run:
        assert run.ask(1) == 1
    assert virtual_clock.now() == 0.0


def test_a_thread_that_never_returns_is_not_waited_for_longer_than_the_patience() -> None:
    release = threading.Event()

    @pr.node(timeout_s=AN_HOUR)
    def stuck(x: int) -> bool:
        return release.wait(30.0)

    try:
        with virtual_time(patience_s=0.05) as clock, pr.Flow(stuck).start() as run:
            with pytest.raises(pr.NodeError):
                run.ask(1)
            assert clock.now() == AN_HOUR
            with pytest.raises(pr.ReplicaLost):
                run.ask(1)
            assert clock.now() == AN_HOUR + 5.0
    finally:
        release.set()


def test_what_has_arrived_is_read_before_time_passes(virtual_clock: VirtualClock) -> None:
    @pr.node
    async def reads(text: str) -> str:
        here, there = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=here)
        there.sendall(text.encode())
        try:
            async with asyncio.timeout(AN_HOUR):
                return (await reader.readexactly(len(text))).decode()
        finally:
            writer.close()
            there.close()

    with pr.Flow(reads).start() as run:
        assert run.ask("hello") == "hello"
    assert virtual_clock.now() == 0.0


def test_the_same_seed_gives_the_same_run() -> None:
    @pr.node(retry=pr.Retry(max_attempts=9, initial_s=60.0, max_s=600.0, budget_ratio=1.0), concurrency=3)
    async def flaky(x: int) -> int:
        await asyncio.sleep(x % 7)
        if rng.random() < 0.4:
            raise OSError(x)
        return x

    @pr.node(batch=pr.Batch(max_size=5, max_wait_s=20.0))
    def batched(xs: list[int]) -> list[tuple[int, float]]:
        return [(x, clock.now()) for x in xs]

    def outcome() -> tuple[list[Any], float]:
        with pr.Flow(same >> flaky >> batched).start() as run:
            return list(run.map(range(60), on_error="skip")), clock.now()

    outcomes = []
    for seed in (1, 1, 2):
        rng = random.Random(0)
        with virtual_time(seed=seed) as clock:
            assert clock.seed == seed
            outcomes.append(outcome())
    assert outcomes[0] == outcomes[1] != outcomes[2]


def test_flows_work_while_a_thread_sleeps(virtual_clock: VirtualClock) -> None:
    cut: list[tuple[float, list[int]]] = []

    @pr.node(batch=pr.Batch(max_size=8, max_wait_s=10.0))
    def batched(xs: list[int]) -> list[int]:
        cut.append((virtual_clock.now(), sorted(xs)))
        return xs

    def inputs() -> Iterator[int]:
        yield 1
        yield 2
        virtual_clock.sleep(30.0)
        yield 3

    with pr.Flow(batched).start() as run:
        assert sorted(run.map(inputs())) == [1, 2, 3]
    assert cut == [(10.0, [1, 2]), (30.01, [3])]
    virtual_clock.sleep(AN_HOUR)
    assert virtual_clock.now() == pytest.approx(AN_HOUR + 30.01)


def test_a_sleep_in_one_loop_lets_the_others_work() -> None:
    async def main() -> None:
        async with pr.Flow(sleeps_an_hour).start() as run:
            asked = asyncio.create_task(run.aask(1))
            await asyncio.sleep(0.0)
            clock.sleep(2 * AN_HOUR)
            assert await asked == 1
        assert clock.now() == 2 * AN_HOUR

    with virtual_time() as clock:
        clock.run(main())


@pytest.mark.parametrize("is_async", [False, True])
def test_a_wait_for_what_will_never_come_is_an_error_and_not_a_hang(is_async: bool) -> None:
    async def main() -> None:
        async with pr.Flow(never_returns).start() as run:
            await run.aask(1)

    def call() -> None:
        with pr.Flow(never_returns).start() as run:
            run.ask(1)

    work: Callable[[], object] = (lambda: clock.run(main())) if is_async else call
    refused = pytest.raises(pr.PenguirayError, match=r"nothing can happen any more\. At 0 s .*seed 3")
    with virtual_time(seed=3, patience_s=0.05) as clock, refused:
        work()


def test_virtual_time_ends_with_its_block_and_cannot_be_nested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENGUIRAY_ENGINE", "local")
    with virtual_time(), pytest.raises(pr.FlowError, match="cannot be nested"), virtual_time():
        pass
    assert LocalEngine.world is None
    with pr.Flow(same).start() as run:
        assert run.ask(1) == 1


def test_a_loop_whose_time_is_real_is_refused() -> None:
    async def main() -> None:
        pr.Flow(same).start()

    with virtual_time(), pytest.raises(pr.FlowError, match=r"clock\.run\(main\(\)\)"):
        asyncio.run(main())
