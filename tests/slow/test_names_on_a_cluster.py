"""A name among several programs on one cluster."""

from __future__ import annotations

import json
import os
import re
import socket
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from drivers import Driver, measured, replicas, until, write_script

import penguiray as pr
from penguiray.ui.cli import main

FREE_S = 30.0
"""Longest from the kill of a program to its name being free: the lease is 20 s, and `close()` may take 3."""

SCRIPT = """
    import sys, threading
    import penguiray as pr

    @pr.node(replicas=2)
    def same(number: int) -> int:
        return number

    run = pr.Flow(same, name="shared").start()
    try:
        print("READY", run.ask(1))
    except pr.StartError as error:
        print("REFUSED", error.pid)
    else:
        threading.Event().wait(120)
"""


@pr.node(replicas=1)
def same(number: int) -> int:
    return number


def test_a_name_of_another_program_is_refused_with_who_has_it_until_that_program_has_ended(
    ray_cluster: str, tmp_path: Path
) -> None:
    began = time.time()
    flow = pr.Flow(same, name="shared")
    with Driver(write_script(tmp_path, SCRIPT), cwd=tmp_path, env={"RAY_ADDRESS": ray_cluster}) as driver:
        driver.said("READY")
        before = replicas("shared/")

        with pytest.raises(pr.StartError) as caught:
            flow.start().wait_ready(30)

        error, pid, host = caught.value, driver.process.pid, socket.gethostname()
        assert (error.run, error.pid, error.host) == ("shared", pid, host)
        assert began < error.since < time.time()
        text = (
            rf"'shared' runs already: process {pid} on {host} started it at 20[-0-9]+ [:0-9]+.*last heard of \d s "
            r"ago\. Start yours with another name, flow\.start\(name=\.\.\.\), or stop that run, or use it: "
            r"pr\.attach\('shared'\)\. The name of a program that was killed is free within 20 s"
        )
        assert re.search(text, str(error)), str(error)
        assert replicas("shared/") == before
        with flow.start(name="shared-2") as beside, flow.map(range(3)) as mapped:
            assert beside.ask(2) == 2
            next(mapped)
            listed = CliRunner().invoke(main, ["ls", "--json"])
            assert listed.exit_code == 0, listed.output
            seen = {row["name"]: row for row in json.loads(listed.output)}
        assert {name: row["pid"] for name, row in seen.items()} == {
            "shared": pid,
            "shared-2": os.getpid(),
            None: os.getpid(),
        }
        assert [seen["shared-2"][key] for key in ("flow", "host")] == ["shared", host]
        assert seen["shared"]["stages"] == [{"name": "same", "replicas": 2}]

        driver.process.kill()
        killed = time.monotonic()
        until(lambda: replicas("shared/"), lambda names: names == [], FREE_S)
        measured(f"the name of a killed program: free after {time.monotonic() - killed:.1f} s")
        with flow.start() as run:
            assert run.ask(3) == 3


def test_of_several_programs_that_start_one_name_at_the_same_moment_one_gets_it(
    ray_cluster: str, tmp_path: Path
) -> None:
    script = write_script(tmp_path, SCRIPT)
    env = {"RAY_ADDRESS": ray_cluster}
    with Driver(script, cwd=tmp_path, env=env) as one, Driver(script, cwd=tmp_path, env=env) as other:
        outcomes = until(lambda: [*one.lines, *other.lines], lambda lines: len(lines) == 2, 60)
        winner = one if any(line.startswith("READY") for line in one.lines) else other

        assert sorted(outcomes) == ["READY 1", f"REFUSED {winner.process.pid}"]
        assert len(replicas("shared/")) == 2
        winner.interrupt()
        winner.ended(30)
    until(lambda: replicas("shared/"), lambda names: names == [], 5)
