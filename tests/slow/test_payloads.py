"""Large payloads on a Ray whose object store is small."""

from __future__ import annotations

import json
import os
from pathlib import Path

from drivers import Driver, folder_for_ray, measured, write_script

SCRIPT = """
    import json, os, pathlib, re, sys, time
    import penguiray as pr
    from penguiray.actors import session

    MIB = 1024 * 1024

    @pr.node(fuse=False, replicas=1)
    def make(mebibytes: int) -> tuple[bytes, int]:
        return b"x" * (mebibytes * MIB), os.getpid()

    @pr.node(fuse=False, replicas=1)
    def again(made: tuple[bytes, int]) -> tuple[bytes, int, int]:
        return bytes(bytearray(made[0])), made[1], os.getpid()

    @pr.node(fuse=False, replicas=1)
    def measure(made: tuple[bytes, int, int]) -> tuple[int, int, int]:
        return len(made[0]), made[1], made[2]

    @pr.node
    def length(data: bytes) -> int:
        return len(data)

    def peak(pid):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) // 1024

    session.start_private(sys.argv[1], cpus=2, store_bytes=100 * MIB)
    text = r"a message of 200\\.0 MiB is larger than the 100\\.0 MiB that may travel at once"
    with pr.Flow(make >> again >> measure, name="payloads").start() as run:
        pids = run.ask(50)[1:]
        before = {pid: peak(pid) for pid in (os.getpid(), *pids)}
        began = time.monotonic()
        assert [found[0] for found in run.map([50] * 12)] == [50 * MIB] * 12
        print("PEAKS", json.dumps({"seconds": time.monotonic() - began, "before": list(before.values()),
            "after": [peak(pid) for pid in before]}))

        began = time.monotonic()
        outcomes = list(run.map([200, 1, 200, 2], ordered=True, on_error="yield"))
        seconds = time.monotonic() - began
        for outcome in outcomes[::2]:
            assert isinstance(outcome, pr.NodeError) and outcome.node == "make" and outcome.attempt == 1, outcome
            assert re.search(text, str(outcome)), outcome
            assert outcome.__cause__.limit_bytes == 100 * MIB and outcome.__cause__.size_bytes >= 200 * MIB
        assert [outcome[0] for outcome in outcomes[1::2]] == [MIB, 2 * MIB]
        assert run.ask(1)[1:] == pids
        print("REFUSED", seconds)

    with pr.Flow(length, name="inputs").start() as run:
        try:
            run.ask(b"x" * (200 * MIB))
        except pr.NodeError as error:
            assert re.search(text, str(error)), error
            assert error.node == "length"
        assert list(run.map([b"x" * (50 * MIB)] * 6)) == [50 * MIB] * 6
    print("ALL RIGHT")
"""


def test_a_payload_above_the_object_store_fails_alone_and_large_ones_take_bounded_memory(tmp_path: Path) -> None:
    script = write_script(tmp_path, SCRIPT)
    without = [name for name in os.environ if name.startswith("RAY_")]
    own = {"RAY_AUTH_TOKEN": os.urandom(32).hex(), "RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0"}

    with folder_for_ray() as folder, Driver(script, folder, cwd=tmp_path, env=own, without=without) as driver:
        found = json.loads(driver.said("PEAKS", 120))
        refused_s = float(driver.said("REFUSED", 120))
        driver.said("ALL RIGHT", 120)
        assert driver.ended(30) == 0, driver.output

    measured(f"2 of 200 MiB are refused in {refused_s:.1f} s; 12 of 50 MiB take {found['seconds']:.1f} s: {found}")
    assert refused_s < 20
    driver_grew, *replicas_grew = (
        after - before for before, after in zip(found["before"], found["after"], strict=True)
    )
    assert driver_grew < 100
    assert max(replicas_grew) < 400
