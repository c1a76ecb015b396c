"""Replicas of one run are killed a hundred times, at every point of a message's life; and one stays paused."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from drivers import until
from history import History
from holdings import holding, note_holdings
from points import POINTS, ask, at, died, plant
from test_losses import PATIENCE_S, Halve, Registered, Wait, alive, made

import penguiray as pr

AT_POINTS = 6
"""Deaths at each point."""
AT_RANDOM = 100 - AT_POINTS * len(POINTS)
"""Kills from outside, of any process that holds something at that moment."""
HOLDING = 80
"""Deaths in a hundred that at least must take something with them."""
ALONE = 0.5
"""Share of the deaths after which no other comes before all is done that was under way; the others overlap."""
AHEAD = 40
"""Inputs under way."""


class Mortal(Registered):
    """Registers its process, and dies in it where it is asked to."""

    def setup(self) -> None:
        note_holdings(self.folder / "points")
        plant(self.folder / "points")
        super().setup()

    def at(self, point: str) -> None:
        at(self.folder / "points", point)


class First(Mortal):
    def __call__(self, x: int) -> int:
        self.at("before the function")
        time.sleep(0.001)
        self.at("in the function")
        return x + 1


class Stream(Mortal):
    def __call__(self, x: int) -> Iterator[int]:
        for y in range(x % 4):
            yield x * 10 + y
            self.at("in the middle of a stream")


class Large(Mortal):
    def __call__(self, x: int) -> npt.NDArray[np.int64]:
        return np.full(20_000, x)


class Small(Mortal):
    async def __call__(self, xs: npt.NDArray[np.int64]) -> int:
        self.at("before the function")
        await asyncio.sleep(0.002)
        self.at("in the function")
        return int(xs[-1])


class Last(Mortal):
    def __call__(self, xs: list[int]) -> list[int]:
        self.at("in the function")
        return [x * 3 for x in xs]


def reference(x: int) -> list[int]:
    return [((x + 1) * 10 + y) * 3 for y in range((x + 1) % 4)]


def histogram(history: History, folder: Path) -> dict[str, tuple[int, int]]:
    """For each point how many died there, and how many of those held something: see `Holding`."""
    found = dict[str, tuple[int, int]]()
    for fault in history.faults:
        count, holds = found.get(fault.what, (0, 0))
        found[fault.what] = count + 1, holds + holding(folder, fault.pid).is_any
    return found


def summary(history: History, folder: Path) -> str:
    """How many died where and with what, and how long it took."""
    recoveries, alone = sorted(history.recoveries_s()), sorted(history.recoveries_s(alone=True))
    held = [holding(folder, fault.pid) for fault in history.faults]
    lines = [f"  {n:3} {holds:3}  {point}\n" for point, (n, holds) in sorted(histogram(history, folder).items())]
    return (
        f"\n{len(held)} deaths in {len(history.sent)} inputs, {sum(one.is_any for one in held)} of them with something "
        f"in hand: {sum(one.messages for one in held)} messages, {sum(one.untold for one in held)} ends that were not "
        f"told\n  all, with something in hand, where\n{''.join(lines)}until all was done that was under way: "
        f"{spread(recoveries)}\n  where no other death came meanwhile: {spread(alone)}\n"
    )


def spread(seconds: list[float]) -> str:
    """What is typical of sorted times, and the longest ones."""
    return (
        f"p50 {statistics.median(seconds):.1f} s, p95 {seconds[int(0.95 * len(seconds))]:.1f} s, "
        f"at most {seconds[-1]:.1f} s of {len(seconds)}"
    )


def kill_any(history: History, run: pr.Run[int, int], folder: Path, rng: random.Random) -> None:
    """Kill a process from outside that holds something."""

    def holders() -> list[int]:
        return sorted(pid for pid in alive(folder) if holding(folder / "points", pid).is_any)

    pids = history.send_until(run, holders)
    assert pids, "nobody holds anything"
    pid = rng.choice(pids)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    history.note("any", pid)


def die_at(point: str, history: History, run: pr.Run[int, int], folder: Path) -> None:
    """Have whoever comes there first die, and see to it that somebody comes."""
    before = {fault.pid for fault in history.faults if fault.what == point}
    pids = history.send_until(run, lambda: died(folder, point) - before)
    assert pids, f"nobody came to this point: {point}"
    history.note(point, *pids)


@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("streams", [True, False], ids=["streams", "calls"])
def test_a_hundred_deaths_at_all_points_of_a_messages_life_lose_nothing_and_give_nothing_twice(
    streams: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "points"
    folder.mkdir()
    rng, history = random.Random(11), History(reference, AHEAD)
    points = [*POINTS * AT_POINTS, *[""] * AT_RANDOM]
    rng.shuffle(points)
    options: dict[str, Any] = {"fuse": False}
    graph = (
        made(First, tmp_path, replicas=2, **options)
        >> made(Stream, tmp_path, replicas=2, **options)
        >> made(Large, tmp_path, replicas=1, **options)
        >> made(Small, tmp_path, **options)
        >> made(Last, tmp_path, replicas=1, batch=pr.Batch(max_size=8), **options)
    )
    with pr.Flow(graph, options=pr.FlowOptions(streams=streams)).start() as run, history.reading(run):
        for point in points:
            if point:
                ask(folder, point)
            if not point or point.startswith("it "):  # those come after another death only
                kill_any(history, run, tmp_path, rng)
            if point:
                die_at(point, history, run, folder)
            if rng.random() < ALONE:
                until(lambda: history.undone(history.faults[-1].when), lambda left: not left, PATIENCE_S)
            for _ in range(rng.choice([1, 20, 60])):
                history.send(run)
    assert list(history.wrong()) == []
    status = run.status()
    assert (status.inputs_live, status.inputs_done, status.dead_letters) == (0, len(history.sent), 0)
    with capsys.disabled():
        sys.stdout.write(summary(history, folder))
    found = histogram(history, folder)
    assert all(found[point][0] >= AT_POINTS for point in POINTS)
    assert sum(holds for _, holds in found.values()) >= HOLDING * sum(count for count, _ in found.values()) / 100
    assert found["any"][1] >= HOLDING * found["any"][0] / 100


@pytest.mark.usefixtures("ray_cluster")
def test_a_replica_that_stays_paused_is_replaced_and_what_it_says_late_is_refused(tmp_path: Path) -> None:
    graph = made(Halve, tmp_path, replicas=2, fuse=False) >> made(Wait, tmp_path, fuse=False)
    inputs = range(600)
    wanted = Counter(x // 2 + 1 for x in inputs)
    with pr.Flow(graph).start() as run:
        before = {pid for pid, name in alive(tmp_path).items() if name == "Halve"}
        results = iter(run.map(inputs))
        found = Counter(next(results) for _ in range(50))
        paused = before.pop()
        os.kill(paused, signal.SIGSTOP)
        found += Counter(results)
        assert found == wanted
        new = until(
            lambda: {p for p, name in alive(tmp_path).items() if name == "Halve"} - before - {paused}, bool, 60.0
        )
        with suppress(ProcessLookupError):
            os.kill(paused, signal.SIGCONT)
        assert Counter(run.map(inputs)) == wanted
        assert len(new) == 1
