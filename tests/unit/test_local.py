"""What is true of the local engine only."""

from __future__ import annotations

import asyncio
import pickle
import threading

import pytest

import penguiray as pr
from penguiray import config
from penguiray.runtime import executor


@pr.node
def thread_of(x: int) -> int:
    return threading.get_ident()


@pr.node
def same(x: int) -> int:
    return x


@pr.node(timeout_s=0.05)
def hangs(release: threading.Event) -> bool:
    return release.wait(30.0)


def test_nodes_run_in_the_callers_thread_where_no_loop_runs() -> None:
    with pr.Flow(thread_of).start(engine="local") as run:
        assert run.ask(1) == threading.get_ident()
        assert set(run.map(range(5))) == {threading.get_ident()}


def test_nodes_run_in_a_thread_of_the_engine_where_a_loop_runs() -> None:
    async def main() -> None:
        async with pr.Flow(thread_of).start(engine="local") as run:
            assert await run.aask(1) != threading.get_ident()

    asyncio.run(main())


def test_what_has_no_promised_order_is_shuffled_and_a_seed_repeats_it() -> None:
    def order(seed: int) -> list[int]:
        with pr.Flow(same).start(engine="local", seed=seed) as run:
            return list(run.map(range(40), window=40))

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(5)}) > 1


def test_a_fixed_number_of_replicas_is_one_here() -> None:
    node = same.options(replicas=3)
    with pr.Flow(node >> node.options(name="again", fuse=False)).start(engine="local") as run:
        assert sorted(run.map(range(40), window=40)) == list(range(40))
        assert [one.replicas for one in run.status().nodes] == [1, 1]


def test_values_go_from_node_to_node_by_reference() -> None:
    def anything(x: object) -> object:
        return x

    node = pr.node(anything)
    with pr.Flow(node >> node.options(name="again", fuse=False)).start(engine="local") as run:
        value = object()
        assert run.ask(value) is value


def test_a_function_that_never_returns_fails_the_run_after_the_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "OVERRUN_GRACE_S", 0.05)
    release = threading.Event()
    try:
        with pr.Flow(hangs).start(engine="local") as run:
            with pytest.raises(pr.NodeError) as caught:
                run.ask(release)
            assert isinstance(caught.value.__cause__, pr.DeadlineExceeded)
            with pytest.raises(pr.ReplicaLost, match="hangs") as lost:
                run.ask(release)
            assert lost.value.node == "hangs"
            assert run.status().state == "failed"
            with pytest.raises(pr.ReplicaLost):
                run.ask(release)
    finally:
        release.set()


def test_a_name_of_no_engine_is_refused() -> None:
    with pytest.raises(pr.FlowError, match="no engine 'cloud'"):
        pr.Flow(same).start(engine="cloud")  # type: ignore[arg-type]


@pytest.mark.usefixtures("local_engine")
def test_a_run_on_the_local_engine_is_not_to_be_found_from_elsewhere() -> None:
    with pytest.raises(pr.FlowError, match="lives in its process"):
        pr.attach("index")


@pytest.mark.filterwarnings("ignore:run.ask:RuntimeWarning")
def test_a_node_that_asks_its_own_run_is_refused() -> None:
    runs: list[pr.Run[int, int]] = []

    @pr.node
    def asks(x: int) -> int:
        return runs[0].ask(x)

    with pr.Flow(asks).start(engine="local") as run:
        runs.append(run)
        with pytest.raises(pr.NodeError, match="may not ask, drain or stop that run"):
            run.ask(1)


def test_a_run_cannot_be_pickled_and_says_what_to_use_inside_a_node() -> None:
    run = pr.Flow(same).start(engine="local")
    try:
        with pytest.raises(pr.FlowError, match=r"run 'flow' cannot be sent .* use ctx\.ask\(flow, value\)"):
            pickle.dumps(run)
    finally:
        run.stop()


def test_inside_a_node_the_local_engine_is_the_default_whatever_the_variable_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PENGUIRAY_ENGINE", "ray")
    flow = pr.Flow(same)

    @pr.node
    def maps(x: int) -> list[int]:
        return flow.collect(range(x))

    @pr.node
    async def asks(x: int) -> int:
        async with flow.start() as run:
            return await run.aask(x)

    with pr.Flow(maps).start(engine="local") as mapping, pr.Flow(asks).start(engine="local") as asking:
        assert sorted(mapping.ask(3)) == [0, 1, 2]
        assert asking.ask(3) == 3
    assert config.engine_name(None) == "ray"


def test_a_run_that_is_stopped_while_it_starts_is_over_for_all_who_wait() -> None:
    class Slow:
        async def setup(self) -> None:
            await asyncio.Event().wait()

        def __call__(self, x: int) -> int:
            return x

    async def main() -> None:
        run = pr.Flow(pr.actor(Slow)()).start(engine="local")
        waiting = asyncio.create_task(run.await_ready(timeout_s=60))
        await asyncio.sleep(0)
        await run.astop()
        await asyncio.wait_for(waiting, 60)
        with pytest.raises(pr.RunClosed):
            await run.aask(1)
        await run.astop()

    asyncio.run(main())
