"""A call that takes long is reported, whatever holds it up."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import penguiray as pr

SAFETY_S = 60.0


def wait_for(path: Path) -> str:
    """Hold the thread up until the file is there."""
    deadline = time.monotonic() + SAFETY_S
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return path.name


@pr.node(replicas=1)
def plain(folder: str) -> str:
    return wait_for(Path(folder) / "plain")


@pr.node(replicas=1)
def generator(folder: str) -> Iterator[str]:
    yield wait_for(Path(folder) / "generator")


@pr.node
async def awaits(folder: str) -> str:
    path, deadline = Path(folder) / "awaits", time.monotonic() + SAFETY_S
    while not path.exists():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    return path.name


@pr.node
async def blocks_its_loop(folder: str) -> str:
    return wait_for(Path(folder) / "blocks_its_loop")


@pr.node(replicas=1, batch=pr.Batch(max_size=1))
def batch(folders: list[str]) -> list[str]:
    return [wait_for(Path(folders[0]) / "batch")]


NODES = (plain, generator, awaits, blocks_its_loop, batch)
REPORT = re.compile(
    r"run 'slow': node '(\w+)', replica 0, has been on message \d+ \(trace mine\) for \d+ s; it may go on, since only "
    r"timeout_s= would end the call"
)


class Releases(logging.Handler):
    """Lets each call go on once it has been reported, and notes what the status says at that moment."""

    def __init__(self, folder: Path, run: pr.Run[Any, Any]) -> None:
        super().__init__()
        self.folder = folder
        self.run = run
        self.longest: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        found = REPORT.fullmatch(record.getMessage())
        if found:
            status = {node.name: node.longest_call_s for node in self.run.status().nodes}
            self.longest[found[1]] = status[found[1]]
            (self.folder / found[1]).touch()


@pytest.mark.usefixtures("engine")
def test_a_call_that_takes_long_is_reported_and_shown_and_may_go_on(tmp_path: Path) -> None:
    options = pr.FlowOptions(report_after_s=1.0)
    log = logging.getLogger("penguiray")
    with pr.Flow(pr.fan(*NODES), name="slow", options=options).start() as run:
        releases = Releases(tmp_path, run)
        log.addHandler(releases)
        try:
            results = run.ask_all(str(tmp_path), trace_id="mine")
        finally:
            log.removeHandler(releases)
    names = sorted(node.name for node in NODES)
    assert sorted(results) == sorted(releases.longest) == names
    assert all(longest >= 1.0 for longest in releases.longest.values())
