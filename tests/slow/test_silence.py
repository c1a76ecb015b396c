"""Runs and programs that hear nothing of each other for longer than the lease, and live."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from drivers import attached, until

import penguiray as pr
from penguiray.control.lease import LEASE_S, LOOK_S


@dataclass
class Silent:
    """A run of this process, to which it has attached too."""

    owner: pr.Run[int, int]
    attached: pr.Run[int, int]
    pid: int
    """The process of its first replica; 0 if that is not known yet."""
    since: float
    """When the silence began."""

    def wait(self) -> None:
        """Until it was longer than the lease; the silence of both runs is the same."""
        until(time.monotonic, lambda now: now > self.since + 1.25 * LEASE_S, 2 * LEASE_S)

    def stop(self) -> None:
        self.attached.stop()
        self.owner.stop()


@pr.node(replicas=1, fuse=False)
def pid(number: int) -> int:
    return os.getpid()


@pr.node(replicas=1, fuse=False)
def behind(numbers: list[int]) -> int:
    """The process of a replica that is not replaced, since a fold is before it."""
    return os.getpid()


def _none() -> list[int]:
    return []


def _with(numbers: list[int], number: int) -> list[int]:
    return [*numbers, number]


class Late:
    def __init__(self, ready: Path) -> None:
        self.ready = ready

    def setup(self) -> None:
        until(self.ready.exists, bool, 10 * LEASE_S)

    def __call__(self, number: int) -> int:
        return number


late_node = pr.actor(replicas=1, fuse=False)(Late)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that the last replica of the run "late" waits for."""
    return tmp_path_factory.mktemp("late") / "ready"


@pytest.fixture(scope="module", autouse=True)
def late(ray_cluster: str, ready: Path) -> Iterator[Silent]:
    """A run whose first replica is ready and whose last one is not."""
    owner = pr.Flow(pid >> late_node(ready), name="late").start()
    silent = Silent(owner, attached("late", 60), 0, time.monotonic())
    yield silent
    ready.touch()
    silent.stop()


@pytest.fixture(scope="module", autouse=True)
def paused(ray_cluster: str) -> Iterator[Silent]:
    """A run whose replica stands still."""
    owner = pr.Flow(pid >> pr.fold(_none, _with) >> behind, name="paused").start()
    run = attached("paused", 60)
    silent = Silent(owner, run, run.ask(1), time.monotonic())
    os.kill(silent.pid, signal.SIGSTOP)
    yield silent
    with contextlib.suppress(ProcessLookupError):  # a failed test may have left none
        os.kill(silent.pid, signal.SIGCONT)
    silent.stop()


def test_who_attaches_to_a_run_that_is_being_started_waits_for_its_last_replica_however_long(
    late: Silent, ready: Path
) -> None:
    late.wait()
    ready.touch()
    assert late.owner.ask(1) == late.attached.ask(1)


def test_a_replica_that_stood_still_for_longer_than_the_lease_takes_nobody_for_dead(paused: Silent) -> None:
    paused.wait()
    os.kill(paused.pid, signal.SIGCONT)
    goes_on = time.monotonic()
    until(time.monotonic, lambda now: now > goes_on + 3 * LOOK_S, 60)
    assert (paused.owner.ask(1), paused.attached.ask(1)) == (paused.pid, paused.pid)
