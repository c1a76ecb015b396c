"""Replicas of one run are killed a hundred times, at every point of a message's life; and one stays paused."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from drivers import until
from points import POINTS, ask, at, plant
from test_losses import Halve, Registered, Wait, alive, made

import penguiray as pr

AT_POINTS = 6
"""Deaths at each point."""
AT_RANDOM = 100 - AT_POINTS * len(POINTS)
"""Kills from outside, whatever a process does at that moment."""
AHEAD = 40
"""Inputs under way."""
PATIENCE_S = 60.0


class Mortal(Registered):
    """Registers its process, and dies in it where it is asked to."""

    def setup(self) -> None:
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


@dataclass
class History:
    """What was sent, what came of it, and who died, each with its time."""

    sent: dict[int, float] = field(default_factory=dict)
    came: dict[int, list[int]] = field(default_factory=dict)
    done: dict[int, float] = field(default_factory=dict)
    deaths: list[tuple[float, str]] = field(default_factory=list)

    @property
    def under_way(self) -> int:
        return len(self.sent) - len(self.done)

    def read(self, run: pr.Run[int, int]) -> None:
        """Note results until the run is drained."""
        for trace_id, result in run.results(with_trace=True):
            number = int(trace_id)
            came = self.came.setdefault(number, [])
            came.append(result)
            if len(came) == len(reference(number)):
                self.done[number] = time.monotonic()

    def send(self, run: pr.Run[int, int], number: int) -> None:
        """Send an input, once there is room for it."""
        until(lambda: self.under_way, lambda now: now < AHEAD, PATIENCE_S)
        self.sent[number] = time.monotonic()
        run.send(number, trace_id=str(number))
        if not reference(number):
            self.done[number] = time.monotonic()

    def wrong(self) -> Iterator[str]:
        """What was lost, or came twice, or should not have come."""
        for number in self.sent:
            if Counter(self.came.get(number, [])) != Counter(reference(number)):
                yield f"input {number}: {self.came.get(number)} instead of {reference(number)}"
        yield from (f"{number} was never sent" for number in self.came.keys() - self.sent.keys())

    def recoveries_s(self) -> list[float]:
        """For each death, how long it took until all was done that was under way then."""
        held = [
            [self.done[number] for number, sent in self.sent.items() if sent < when < self.done[number]]
            for when, _ in self.deaths
        ]
        return [max(ends) - when for ends, (when, _) in zip(held, self.deaths, strict=True) if ends]

    def summary(self) -> str:
        """How many died where, and how long it took."""
        recoveries = sorted(self.recoveries_s())
        late = recoveries[int(0.95 * len(recoveries))]
        where = "".join(f"  {count:3} {point}\n" for point, count in Counter(point for _, point in self.deaths).items())
        return (
            f"\n{len(self.deaths)} deaths in {len(self.sent)} inputs:\n{where}until all was done that was under way: "
            f"p50 {statistics.median(recoveries):.1f} s, p95 {late:.1f} s, at most {recoveries[-1]:.1f} s\n"
        )


def kill_any(folder: Path, rng: random.Random) -> None:
    """Kill a process from outside."""
    pids = until(lambda: alive(folder), bool, PATIENCE_S)
    with suppress(ProcessLookupError):
        os.kill(rng.choice(sorted(pids)), signal.SIGKILL)


@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("streams", [True, False], ids=["streams", "calls"])
def test_a_hundred_deaths_at_all_points_of_a_messages_life_lose_nothing_and_give_nothing_twice(
    streams: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "points").mkdir()
    rng, history = random.Random(11), History()
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
    with pr.Flow(graph, options=pr.FlowOptions(streams=streams)).start() as run:
        reader = threading.Thread(target=history.read, args=[run])
        reader.start()
        number = 0
        for point in points:
            wanted = ask(tmp_path / "points", point) if point else tmp_path / "nothing"
            if not point or point.startswith("it "):  # those come after another death only
                kill_any(tmp_path, rng)
            end = time.monotonic() + PATIENCE_S
            while wanted.exists() and time.monotonic() < end:
                history.send(run, number)
                number += 1
            assert not wanted.exists(), f"nobody came to this point: {point}"
            history.deaths.append((time.monotonic(), point or "any"))
            for _ in range(rng.choice([1, 20, 60])):
                history.send(run, number)
                number += 1
    reader.join()
    assert list(history.wrong()) == []
    status = run.status()
    assert (status.inputs_live, status.inputs_done, status.dead_letters) == (0, len(history.sent), 0)
    with capsys.disabled():
        sys.stdout.write(history.summary())


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
