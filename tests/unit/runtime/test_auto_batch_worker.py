"""A node with `batch="auto"` in virtual time: what it is called with, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import penguiray as pr
from penguiray import testing
from penguiray.testing import Pause, VirtualClock


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    with testing.virtual_time(seed=1) as clock:
        yield clock


class Server:
    """Takes a fixed time for a call and one for each message, and remembers its calls."""

    def __init__(self, call_s: float, message_s: float, memory: int = 1_000_000) -> None:
        self.call_s, self.message_s, self.memory = call_s, message_s, memory
        self.sizes: list[int] = []

    async def __call__(self, xs: list[int]) -> list[int]:
        self.sizes.append(len(xs))
        if len(xs) > self.memory:
            raise MemoryError(len(xs))
        await asyncio.sleep(self.call_s + self.message_s * len(xs))
        return xs

    def node(self, **options: object) -> pr.Node[int, int]:
        return pr.node(name="server", batch="auto", **{"concurrency": 1, **options})(self.__call__)  # type: ignore[call-overload, no-any-return]  # options as they come


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(("message_s", "best"), [(1e-3, 95), (5e-4, 190), (0.05, 1)])
def test_a_call_gets_as_many_messages_as_it_is_quickest_with(message_s: float, best: int) -> None:
    server = Server(0.005 if best > 1 else 1e-4, message_s)
    assert len(pr.Flow(server.node()).collect(range(60 * best + 1_000))) == 60 * best + 1_000
    middle = sorted(server.sizes[-30:-3])[13]
    assert 0.75 * best <= middle <= 1.25 * best


def test_a_message_that_comes_alone_does_not_wait(clock: VirtualClock) -> None:
    server = Server(0.1, 0.001)
    flow = pr.Flow(server.node(concurrency=4))
    with flow.start() as run:
        run.collect(range(5_000))
        begun = clock.now()
        for x in range(3):
            run.ask(x)
        assert clock.now() - begun == pytest.approx(3 * 0.101)


def test_messages_that_come_while_the_node_works_make_the_next_batch(clock: VirtualClock) -> None:
    server = Server(1.0, 0.0)
    with pr.Flow(server.node()).start() as run:
        run.collect(range(200))
        server.sizes.clear()
        begun = clock.now()
        run.collect(testing.script(0, Pause(0.1), 1, Pause(0.1), 2, Pause(0.1), 3), window=100)
    assert server.sizes == [1, 3]
    assert clock.now() - begun == pytest.approx(2.0, abs=1e-6), "nothing waits once the node is idle"


@pytest.mark.usefixtures("clock")
def test_where_more_calls_may_begin_a_message_waits_a_little_for_others() -> None:
    server = Server(1.0, 0.0)
    with pr.Flow(server.node(concurrency=32)).start() as run:
        run.collect(range(2_000))
        server.sizes.clear()
        inputs = [part for x in range(20) for part in (x, Pause(0.01))]
        assert len(run.collect(testing.script(*inputs), window=100)) == 20
    assert 2 <= len(server.sizes) <= 4
    assert server.sizes[0] == 1, "the node was idle"


def test_asks_that_have_little_time_are_answered_in_time(clock: VirtualClock) -> None:
    server = Server(0.1, 0.01)

    async def main() -> list[int]:
        async with pr.Flow(server.node(concurrency=8)).start() as run:
            await run.acollect(range(2_000))
            assert server.sizes[-2] > 60
            server.sizes.clear()
            return list(await asyncio.gather(*(run.aask(x, timeout_s=0.6) for x in range(80))))

    assert clock.run(main()) == list(range(80))
    assert max(server.sizes) <= 20, "a call with 20 takes half of 0.6 s"
    assert len(server.sizes) <= 8


@pytest.mark.usefixtures("clock")
def test_memory_that_runs_out_halves_the_batch_and_its_messages_fail_where_nothing_may_run_twice() -> None:
    server = Server(0.01, 1e-5, memory=20)
    results = list(pr.Flow(server.node()).map(range(3_000), on_error="yield"))
    errors = [result for result in results if isinstance(result, pr.NodeError)]
    assert len(results) == 3_000
    assert len(errors) == sum(size for size in server.sizes if size > 20)
    assert all(isinstance(error.__cause__, MemoryError) for error in errors)
    first = next(place for place, size in enumerate(server.sizes) if size > 20)
    assert server.sizes[first + 1] == server.sizes[first] // 2
    assert sum(size > 20 for size in server.sizes) <= 3
    assert max(server.sizes[-30:]) > 15


@pytest.mark.usefixtures("clock")
def test_with_a_retry_a_batch_that_memory_did_not_suffice_for_is_called_in_halves_at_once() -> None:
    server = Server(0.01, 1e-5, memory=20)
    node = server.node(retry=pr.Retry(max_attempts=3, initial_s=1_000.0, max_s=1_000.0))
    with pr.Flow(node).start() as run:
        assert sorted(run.collect(range(3_000))) == list(range(3_000))
        (counts,) = run.status().nodes
    too_large = [size for size in server.sizes if size > 20]
    assert 1 <= len(too_large) <= 3
    assert (counts.failed, counts.retried) == (0, 2 * len(too_large))


@pytest.mark.usefixtures("clock")
def test_errors_that_retry_does_not_name_are_final_also_where_memory_ran_out() -> None:
    server = Server(0.01, 1e-5, memory=20)
    node = server.node(retry=pr.Retry(on=(OSError,)))
    results = list(pr.Flow(node).map(range(1_000), on_error="yield"))
    assert sum(isinstance(result, pr.NodeError) for result in results) == sum(s for s in server.sizes if s > 20) > 0


@pytest.mark.usefixtures("clock")
def test_a_call_that_runs_into_its_time_limit_halves_the_next() -> None:
    server = Server(0.01, 1e-5)
    results = []
    with pr.Flow(server.node(timeout_s=2.0)).start() as run:
        results += run.collect(range(3_000))
        grown = server.sizes[-2]
        server.call_s = 5.0
        errors = list(run.map(range(2 * grown), on_error="yield"))
    assert all(isinstance(error, pr.NodeError) for error in errors)
    assert server.sizes[-1] < grown / 2
