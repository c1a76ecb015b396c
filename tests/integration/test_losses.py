"""Replicas are killed while a run works: nothing is lost, and nothing is given twice."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import ray
from drivers import until

import penguiray as pr
from penguiray.link.frame import LinkId

PATIENCE_S = 60.0


class Registered:
    """Notes the process that it lives in, so that a test can kill it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def setup(self) -> None:
        (self.folder / str(os.getpid())).write_text(type(self).__name__)


class Halve(Registered):
    def __call__(self, x: int) -> int:
        time.sleep(0.002)
        return x // 2


class Spread(Registered):
    def __call__(self, x: int) -> Iterator[int]:
        for y in range(x % 4):
            time.sleep(0.001)
            yield x * 10 + y


class Wait(Registered):
    async def __call__(self, x: int) -> int:
        await asyncio.sleep(0.01)
        return x + 1


class Batched(Registered):
    def __call__(self, xs: list[int]) -> list[int]:
        time.sleep(0.002)
        return [x * 3 for x in xs]


def alive(folder: Path) -> dict[int, str]:
    """Processes of replicas, each with the class that lives there."""
    found = {}
    for file in folder.glob("[0-9]*"):
        with suppress(ProcessLookupError):
            os.kill(int(file.name), 0)
            found[int(file.name)] = file.read_text()
    return found


def kill(folder: Path, rng: random.Random, *, but: str = "") -> str:
    """Kill a replica; gives which class it had."""
    pids = until(lambda: {pid: name for pid, name in alive(folder).items() if name != but}, bool, PATIENCE_S)
    pid = rng.choice(sorted(pids))
    os.kill(pid, signal.SIGKILL)
    until(lambda: alive(folder), lambda now: pid not in now, PATIENCE_S)
    return pids[pid]


def killing(results: Iterator[Any], folder: Path, *, every: int, kills: int, but: str = "") -> Iterator[Any]:
    """Pass results on, and kill a replica after every so many."""
    rng, killed = random.Random(7), list[str]()
    for number, result in enumerate(results, 1):
        yield result
        if number % every == 0 and len(killed) < kills:
            killed.append(kill(folder, rng, but=but))
    assert len(killed) == kills, killed


def made(node: Callable[..., Any], folder: Path, **options: Any) -> Any:
    return pr.actor(**options)(node)(folder)


def reference(x: int) -> list[int]:
    half = x // 2
    return [(half * 10 + y + 1) * 3 for y in range(half % 4)]


@pytest.mark.usefixtures("ray_cluster")
def test_what_a_killed_replica_had_in_its_hands_is_done_elsewhere_and_given_once(tmp_path: Path) -> None:
    flow = pr.Flow(
        made(Halve, tmp_path, replicas=2)
        >> made(Spread, tmp_path, replicas=1)
        >> made(Wait, tmp_path)
        >> made(Batched, tmp_path, replicas=1, batch=pr.Batch(max_size=8))
    )
    inputs = range(1_200)
    wanted = Counter(y for x in inputs for y in reference(x))
    with flow.start() as run:
        found = Counter(killing(iter(run.map(inputs)), tmp_path, every=250, kills=6))
        status = run.status()
    assert found == wanted
    assert (status.inputs_live, status.inputs_done, status.dead_letters) == (0, len(inputs), 0)


@pytest.mark.usefixtures("ray_cluster")
def test_what_a_paused_replica_has_is_done_elsewhere_and_it_goes_on_when_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "penguiray")
    flow = pr.Flow(made(Halve, tmp_path, replicas=2, fuse=False) >> made(Batched, tmp_path, batch=pr.Batch(max_size=8)))
    inputs = range(600)
    wanted = Counter(x // 2 * 3 for x in inputs)
    with flow.start() as run:
        paused = next(pid for pid, name in alive(tmp_path).items() if name == "Halve")
        results = iter(run.map(inputs))
        found = Counter(next(results) for _ in range(50))
        os.kill(paused, signal.SIGSTOP)
        try:
            found += Counter(results)
        finally:
            os.kill(paused, signal.SIGCONT)
        assert found == wanted
        until(lambda: "answers again" in caplog.text, bool, PATIENCE_S)
        assert Counter(run.map(inputs)) == wanted
        assert paused in alive(tmp_path)
    assert "has not answered for" in caplog.text


class Numbers(Registered):
    def __call__(self, count: int) -> Iterator[int]:
        for number in range(count):
            time.sleep(0.002)
            yield number


@pytest.mark.usefixtures("ray_cluster")
def test_a_stream_goes_on_where_it_was_when_its_replica_is_killed(tmp_path: Path) -> None:
    with pr.Flow(made(Numbers, tmp_path, replicas=1)).start() as run:
        assert list(killing(iter(run.stream(600)), tmp_path, every=150, kills=2)) == list(range(600))


@pr.node(replicas=1)
def obey(order: str) -> str:
    if order == "exit":
        os._exit(3)
    time.sleep(0.01)
    return order


@pytest.mark.usefixtures("ray_cluster")
def test_a_message_that_ends_its_process_is_given_up_on_and_all_others_finish() -> None:
    inputs = [str(number) for number in range(60)]
    inputs[30] = "exit"
    with pr.Flow(obey).start() as run:
        found = list(run.map(inputs, on_error="yield", ordered=True, window=20))
        assert [result for result in found if isinstance(result, str)] == [*inputs[:30], *inputs[31:]]
        error = found[30]
        assert isinstance(error, pr.NodeError)
        assert (error.node, error.index) == ("obey", 30)
        assert isinstance(error.__cause__, pr.ReplicaLost)
        assert "replicas die of it" in str(error)
        assert run.ask("after") == "after"


class Slow(Registered):
    """Gives what it has at once, and takes a while to end."""

    def __call__(self, x: int) -> Iterator[int]:
        yield from range(x)
        time.sleep(3.0)


class StopsOnce(Registered):
    """Stays with its first message for ever, unless another one of its kind did so before."""

    def __call__(self, x: int) -> int:
        mark = self.folder / "stopped"
        if not mark.exists():
            mark.mkdir()
            time.sleep(PATIENCE_S)
        return x


@pytest.mark.usefixtures("ray_cluster")
def test_what_a_generator_gave_and_was_lost_comes_again_though_it_had_not_ended(tmp_path: Path) -> None:
    (tmp_path / "pids").mkdir()
    slow, stops = made(Slow, tmp_path / "pids", replicas=1), made(StopsOnce, tmp_path / "pids", replicas=1)
    with pr.Flow(slow >> stops).start() as run:
        run.send(5)
        until(lambda: list((tmp_path / "pids").glob("stopped")), bool, PATIENCE_S)
        kill(tmp_path / "pids", random.Random(1), but="Slow")
        assert sorted(run.results(until_idle=True)) == list(range(5))


class Sum(Registered):
    def __call__(self, xs: list[int]) -> int:
        return sum(xs)


def kill_join(run: pr.Run[Any, Any]) -> None:
    """Kill the process of a run's join."""
    engine: Any = run._engine
    (stage,) = engine.plan.joins
    ray.kill(engine._pool.actors[LinkId(stage, 0)])


@pytest.mark.usefixtures("ray_cluster")
def test_what_a_join_had_gathered_or_given_when_it_was_killed_begins_anew(tmp_path: Path) -> None:
    waits = [made(Wait, tmp_path, name=name, replicas=1) for name in ("one", "two")]
    graph = made(Halve, tmp_path, replicas=1, fuse=False) >> waits >> pr.join(2) >> made(Sum, tmp_path, replicas=1)
    inputs = range(800)
    with pr.Flow(graph).start() as run:
        found = Counter[int]()
        for number, result in enumerate(run.map(inputs, window=60), 1):
            found[result] += 1
            if number in (100, 400):
                kill_join(run)
            elif number in (250, 550):
                kill(tmp_path, random.Random(1), but="Halve")
        status = run.status()
    assert found == Counter(2 * (x // 2 + 1) for x in inputs)
    assert (status.inputs_live, status.inputs_done, status.dead_letters) == (0, len(inputs), 0)


@pr.node(replicas=1, fuse=False)
def exits(xs: list[str]) -> int:
    os._exit(3)


@pytest.mark.usefixtures("ray_cluster")
def test_a_loss_behind_a_join_by_key_ends_the_run_and_says_why() -> None:
    with pytest.raises(pr.ReplicaLost, match="with it what a join or a fold before it had gathered"):
        pr.Flow(pr.fan(obey, obey.options(name="too")) >> pr.join(2, key=len) >> exits).collect(["a"])
