"""Two faults of neighbouring stages, an interval apart: the second hits what makes the first one good."""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from drivers import is_alive, measured, until
from history import PATIENCE_S, History
from holdings import holding, note_holdings
from test_losses import Registered, alive, made

import penguiray as pr

INTERVALS_S = (0.0, 0.05, 0.5, 2.0)
NEIGHBOURS = (("First", "Middle"), ("Middle", "Last"), ("Middle", "First"), ("Last", "Middle"))
REPLICAS = {"First": 2, "Middle": 2, "Last": 1}
SUSPECT_S = 7.0
"""How long one stands still that comes back: long enough for others to do what it had."""
END_S = 45.0
"""Longest until all is done that was under way at the second fault; the slowest is a pause of what has no twin."""


class Faulty(Registered):
    """Breaks the streams of its process, and kills a neighbour a while later, where a file asks for it."""

    def setup(self) -> None:
        from penguiray.actors.stream import Stream

        note_holdings(self.folder / "holds")
        opened, self.streams = Stream.open, list[Any]()

        def noted(stream: Any) -> None:
            self.streams.append(stream)
            opened(stream)

        Stream.open = noted  # type: ignore[method-assign, assignment]  # in this replica's process, which is the test's
        super().setup()

    def look(self) -> None:
        asked = self.folder / "cuts" / str(os.getpid())
        if asked.exists():
            neighbour, interval_s = asked.read_text().split()
            streams = [stream for stream in self.streams if not stream.is_broken]
            for stream in streams:
                with suppress(OSError):
                    stream._socket.shutdown(socket.SHUT_RDWR)
            threading.Timer(float(interval_s), os.kill, [int(neighbour), signal.SIGKILL]).start()
            asked.rename(asked.with_suffix(f".cut-{len(streams)}"))


class First(Faulty):
    def __call__(self, x: int) -> int:
        self.look()
        time.sleep(0.001)
        return x + 1


class Middle(Faulty):
    """Every eighth output is an attachment."""

    def __call__(self, x: int) -> Iterator[npt.NDArray[np.int64]]:
        self.look()
        for y in range(x % 4):
            yield np.full(20_000 if x % 8 == 0 else 1, x * 10 + y)


class Last(Faulty):
    def __call__(self, arrays: list[npt.NDArray[np.int64]]) -> list[int]:
        self.look()
        return [int(xs[-1]) * 3 for xs in arrays]


def reference(x: int) -> list[int]:
    return [((x + 1) * 10 + y) * 3 for y in range((x + 1) % 4)]


class Scene:
    """A run that works, and its processes."""

    def __init__(self, folder: Path, history: History) -> None:
        self.folder = folder
        self.history = history
        self.rng = random.Random(3)
        self.held = 0
        """Faults that hit a process with something in hand."""

    def now(self, name: str) -> set[int]:
        return {pid for pid, its in alive(self.folder).items() if its == name and is_alive(pid)}

    def holders(self, name: str) -> list[int]:
        return sorted(pid for pid in self.now(name) if holding(self.folder / "holds", pid).is_any)

    def pick_both(self, one: str, other: str) -> tuple[int, int]:
        """A process of each of two classes, both at a moment at which both hold something."""
        end = time.monotonic() + PATIENCE_S
        while not ((ones := self.holders(one)) and (others := self.holders(other))):
            assert time.monotonic() < end, "they never hold something at the same time"
        return self.rng.choice(ones), self.rng.choice(others)

    def pick(self, name: str) -> int:
        """A process of a class at this moment, one that holds something if there is any."""
        return self.rng.choice(self.holders(name) or sorted(self.now(name)))

    def hit(self, what: str, pid: int, sign: signal.Signals) -> None:
        self.held += holding(self.folder / "holds", pid).is_any
        os.kill(pid, sign)
        self.history.note(what, pid)

    def kill(self, pid: int) -> None:
        self.hit("kill", pid, signal.SIGKILL)

    def pause(self, pid: int) -> None:
        self.hit("pause", pid, signal.SIGSTOP)

    def end_pause(self, pid: int, name: str, before: set[int], fate: str) -> None:
        """Let a process go on: before it is replaced, or afterwards; or kill it."""
        paused_at = next(fault.when for fault in self.history.faults if fault.pid == pid)
        if fate == "replaced":
            until(lambda: self.now(name) - before, bool, PATIENCE_S)
        else:
            until(time.monotonic, lambda now: now > paused_at + SUSPECT_S, PATIENCE_S)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL if fate == "killed" else signal.SIGCONT)

    def settle(self) -> float:
        """Wait until all is done that was under way, and all replicas are there; gives how long the first took."""
        since = self.history.faults[-1].when
        until(lambda: self.history.undone(since), lambda left: not left, END_S)
        took_s = time.monotonic() - since
        until(lambda: {name: len(self.now(name)) for name in REPLICAS}, lambda there: there == REPLICAS, PATIENCE_S)
        return took_s


def kill_and_kill(scene: Scene, one: str, other: str, interval_s: float, fate: str) -> None:
    first, _ = scene.pick_both(one, other)
    scene.kill(first)
    time.sleep(interval_s)
    scene.kill(scene.pick(other))


def kill_and_pause(scene: Scene, one: str, other: str, interval_s: float, fate: str) -> None:
    first, _ = scene.pick_both(one, other)
    before = scene.now(other)
    scene.kill(first)
    time.sleep(interval_s)
    second = scene.pick(other)
    scene.pause(second)
    scene.end_pause(second, other, before, fate)


def pause_and_kill(scene: Scene, one: str, other: str, interval_s: float, fate: str) -> None:
    first, _ = scene.pick_both(one, other)
    before = scene.now(one)
    scene.pause(first)
    time.sleep(interval_s)
    scene.kill(scene.pick(other))
    scene.end_pause(first, one, before, fate)


def cut_and_kill(scene: Scene, one: str, other: str, interval_s: float, fate: str) -> None:
    first, second = scene.pick_both(one, other)
    cuts = scene.folder / "cuts"
    (cuts / "asked").write_text(f"{second} {interval_s}")
    (cuts / "asked").rename(cuts / str(first))
    (done,) = until(lambda: list(cuts.glob(f"{first}.cut-*")), bool, PATIENCE_S)
    done.rename(cuts / f"done-{time.monotonic_ns()}-{done.suffix.partition('-')[2]}")
    scene.history.note("cut", first)
    until(lambda: is_alive(second), lambda alive: not alive, PATIENCE_S)
    scene.history.note("kill", second)
    scene.held += holding(scene.folder / "holds", second).is_any


Pair = Callable[[Scene, str, str, float, str], None]


@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize(
    ("pair", "fates", "streams"),
    [
        (kill_and_kill, ("",) * 8, True),
        (kill_and_kill, ("",) * 8, False),
        (kill_and_pause, ("replaced", "back", "killed", "replaced"), True),
        (pause_and_kill, ("back", "replaced", "back", "killed"), False),
        (pause_and_kill, ("killed", "back", "replaced", "back"), True),
        (cut_and_kill, ("",) * 8, True),
    ],
)
def test_two_faults_of_neighbours_an_interval_apart_lose_nothing_and_give_nothing_twice(
    pair: Pair, fates: tuple[str, ...], streams: bool, tmp_path: Path
) -> None:
    for name in ("holds", "cuts"):
        (tmp_path / name).mkdir()
    history = History(reference)
    scene, took = Scene(tmp_path, history), []
    graph = (
        made(First, tmp_path, replicas=REPLICAS["First"], fuse=False)
        >> made(Middle, tmp_path, replicas=REPLICAS["Middle"], fuse=False)
        >> made(Last, tmp_path, replicas=REPLICAS["Last"], fuse=False, batch=pr.Batch(max_size=8))
    )
    flow = pr.Flow(graph, options=pr.FlowOptions(streams=streams))
    with flow.start() as run, history.reading(run), history.sending(run):
        for number, fate in enumerate(fates):
            turn, place = divmod(number, len(INTERVALS_S))
            one, other = NEIGHBOURS[(place + turn) % len(NEIGHBOURS)]
            until(lambda: len(history.done), partial(int.__lt__, len(history.done) + 50), PATIENCE_S)
            pair(scene, one, other, INTERVALS_S[place], fate)
            took.append(scene.settle())
    assert list(history.wrong()) == []
    status = run.status()
    assert (status.inputs_live, status.inputs_done, status.dead_letters) == (0, len(history.sent), 0)
    cuts = [int(file.name.rpartition("-")[2]) for file in (tmp_path / "cuts").glob("done-*")]
    assert all(cuts), "each had a stream to cut"
    hits = sum(fault.what != "cut" for fault in history.faults)
    assert scene.held * 3 >= hits
    each = ", ".join(f"{seconds:.1f}" for seconds in took)
    measured(
        f"{pair.__name__}, {'streams' if streams else 'calls'}: {len(history.sent)} inputs; {scene.held} of {hits} "
        f"kills and pauses hit somebody with something in hand; all done after {each} s; streams cut: {cuts}"
    )
