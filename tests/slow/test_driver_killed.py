"""A driver is killed while its replicas work, compute without end, or stand still: nothing of its run is left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
from drivers import Driver, bytes_in_store, is_alive, measured, replicas, until, write_script

GONE_S = 30.0
"""Longest from the kill of a driver to the end of its replicas: the lease is 20 s, and `close()` may take 3."""
KINDS = ("works", "computes", "stands-still")

SCRIPT = """
    import os, pathlib, sys
    import numpy as np
    import penguiray as pr

    kind, streams, folder = sys.argv[1], sys.argv[2] == "True", pathlib.Path(sys.argv[3])

    class First:
        def setup(self) -> None:
            (folder / str(os.getpid())).touch()

        def __call__(self, number: int) -> bytes:
            return bytes(200_000)

    class Second(First):
        def __call__(self, data: bytes) -> int:
            while kind == "computes":
                (folder / "under-way").touch()
            return len(data)

    options = {"replicas": 1, "fuse": False}
    graph = pr.actor(**options)(First)() >> pr.actor(**options)(Second)()
    with pr.Flow(graph, name=kind, options=pr.FlowOptions(streams=streams)).start() as run:
        for number, length in enumerate(run.map(range(10_000_000))):
            assert length == 200_000
            if number == 20:
                (folder / "under-way").touch()
    print("NOT REACHED")
"""


def pids(folder: Path) -> list[int]:
    """Processes of its replicas that are there."""
    return sorted(int(file.name) for file in folder.glob("[0-9]*") if is_alive(int(file.name)))


def _is_empty(found: list[int]) -> bool:
    return not found


@contextmanager
def programs(cluster: str, folder: Path, streams: bool) -> Iterator[dict[str, Driver]]:
    """A program of each kind with inputs under way."""
    script = write_script(folder, SCRIPT)
    with ExitStack() as stack:
        started = {}
        for kind in KINDS:
            (folder / kind).mkdir()
            driver = Driver(script, kind, streams, folder / kind, cwd=folder, env={"RAY_ADDRESS": cluster})
            started[kind] = stack.enter_context(driver)
        for kind, driver in started.items():
            until((folder / kind / "under-way").exists, bool, 60)
            assert driver.process.poll() is None, driver.output
            assert len(pids(folder / kind)) == 2
        yield started


@pytest.mark.parametrize("streams", [True, False], ids=["streams", "calls"])
def test_nothing_is_left_of_a_run_whose_driver_is_killed_but_what_stands_still_and_that_ends_when_it_goes_on(
    ray_cluster: str, tmp_path: Path, streams: bool
) -> None:
    before = bytes_in_store()
    with programs(ray_cluster, tmp_path, streams) as drivers:
        still, other = pids(tmp_path / "stands-still")
        os.kill(still, signal.SIGSTOP)
        try:
            for driver in drivers.values():
                driver.process.kill()
            killed = time.monotonic()
            for kind in ("works", "computes"):
                until(partial(pids, tmp_path / kind), _is_empty, killed + GONE_S - time.monotonic())
                measured(f"{kind}: gone {time.monotonic() - killed:.1f} s after the kill of the driver")
            until(lambda: is_alive(other), lambda alive: not alive, max(1.0, killed + GONE_S - time.monotonic()))
            assert pids(tmp_path / "stands-still") == [still]
        finally:
            with suppress(ProcessLookupError):
                os.kill(still, signal.SIGCONT)
        goes_on = time.monotonic()
        until(lambda: is_alive(still), lambda alive: not alive, GONE_S)
        measured(f"what stood still: gone {time.monotonic() - goes_on:.1f} s after it went on")
    until(lambda: [name for kind in KINDS for name in replicas(f"{kind}/")], lambda names: not names, 5)
    until(bytes_in_store, lambda nbytes: nbytes <= before, 10)
