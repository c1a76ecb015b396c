"""A message that eats memory: it fails alone where a limit refuses the memory, and costs its process where none does.

The process is then killed from outside, as the kernel does when a host has no memory left; here at far less.
"""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from drivers import measured
from test_losses import Registered, alive, made

import penguiray as pr

pytestmark = pytest.mark.usefixtures("ray_cluster")

BAD = 11
INPUTS = 32
MIB = 1024 * 1024
SPARE = 512 * MIB
"""What a process may map beside what it has when its limit is set."""
MOST_GROWN = 200 * MIB
"""What a process may have grown by when the killer comes."""


def nbytes(field: int) -> int:
    """Bytes of this process: 0 for what it has mapped, 1 for what is in memory."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[field]) * resource.getpagesize()


class Limited(Registered):
    """Its process can map no more than a little above what it has."""

    def setup(self) -> None:
        super().setup()
        most = nbytes(0) + SPARE
        resource.setrlimit(resource.RLIMIT_AS, (most, most))

    def __call__(self, number: int) -> tuple[int, int]:
        return len(bytes(2 * SPARE)) if number == BAD else number, os.getpid()


def test_a_message_that_asks_for_more_memory_than_there_may_be_fails_alone_and_its_process_lives_on(
    tmp_path: Path,
) -> None:
    with pr.Flow(made(Limited, tmp_path, replicas=1)).start() as run:
        found = list(run.map(range(INPUTS), on_error="yield"))
        (error,) = (result for result in found if isinstance(result, pr.NodeError))
        assert (error.index, type(error.__cause__)) == (BAD, MemoryError)
        results = [result for result in found if not isinstance(result, Exception)]
        assert sorted(number for number, _ in results) == [number for number in range(INPUTS) if number != BAD]
        assert {pid for _, pid in results} == alive(tmp_path).keys() == {run.ask(0)[1]}, "nobody was replaced"


class Grows(Registered):
    """Takes memory for the bad one until its process is killed."""

    def setup(self) -> None:
        super().setup()
        (self.folder / f"begins-{os.getpid()}").write_text(str(nbytes(1)))

    def __call__(self, numbers: list[int]) -> list[int]:
        taken = []
        while BAD in numbers:
            if nbytes(1) < int((self.folder / f"begins-{os.getpid()}").read_text()) + MOST_GROWN + 64 * MIB:
                taken.append(b"x" * (16 * MIB))
            time.sleep(0.005)
        return numbers


def rss(pid: int) -> int:
    """Bytes of a process that are in memory; 0 if it is gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    return 0


@contextmanager
def killing_who_grows(folder: Path) -> Iterator[list[int]]:
    """Kill each process that has grown too much; gives those that were killed."""
    killed, is_over = list[int](), threading.Event()

    def work() -> None:
        while not is_over.wait(0.02):
            for file in folder.glob("begins-*"):
                pid, begins = int(file.name.partition("-")[2]), file.read_text()
                if pid not in killed and begins and rss(pid) > int(begins) + MOST_GROWN:
                    killed.append(pid)
                    os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield killed
    finally:
        is_over.set()
        thread.join()


def test_a_message_whose_process_is_killed_for_its_memory_is_given_up_on_and_its_neighbours_finish(
    tmp_path: Path,
) -> None:
    node = made(Grows, tmp_path, replicas=1, batch=pr.Batch(max_size=16, max_wait_s=0.1))
    began = time.monotonic()
    with killing_who_grows(tmp_path) as killed, pr.Flow(node).start() as run:
        found = list(run.map(range(INPUTS), on_error="yield", window=INPUTS))
        (error,) = (result for result in found if isinstance(result, pr.NodeError))
        assert error.index == BAD
        assert isinstance(error.__cause__, pr.ReplicaLost)
        numbers = sorted(result for result in found if isinstance(result, int))
        assert numbers == [number for number in range(INPUTS) if number != BAD]
        assert run.ask(0) == 0
    measured(
        f"{len(killed)} processes were killed for their memory, given up on after {time.monotonic() - began:.1f} s"
    )
    assert len(killed) == 5
