"""A fast source and a slow sink, with a small object store: what is under way stays within its budget of bytes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from drivers import Driver, measured, write_script

import penguiray as pr

PAYLOAD = 8 * 2**20
COUNT = 1_280
"""Ten GB in all."""
STORE = 100 * 2**20

SCRIPT = """
    import json, os, pathlib, sys, time
    import numpy as np
    import ray
    import penguiray as pr

    payload, count, store, folder = (*map(int, sys.argv[1:4]), pathlib.Path(sys.argv[4]))

    @pr.node(fuse=False, replicas=1)
    def make(number: int) -> "np.ndarray":
        return np.full(payload // 8, float(number))

    @pr.node(fuse=False, replicas=1)
    def look(array: "np.ndarray") -> tuple[int, int]:
        time.sleep(0.01)
        return int(array[-1]), os.getpid()

    def own(pid):
        status = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
        return sum(int(line.split()[1]) for line in status if line.startswith(("RssAnon", "RssFile"))) * 1024

    ray.init(address="local", num_cpus=2, object_store_memory=store, include_dashboard=False, log_to_driver=False)
    with pr.Flow(make >> look, name="sink").start() as run:
        replicas = run._engine._pool.actors.values()
        pids = {"driver": os.getpid(), "make": None, "look": None}
        pids["make"], pids["look"] = (ray.get(actor.renew.remote())[1] for actor in replicas)
        before = {name: own(pid) for name, pid in pids.items()}
        grown, spilled, came, began = dict.fromkeys(pids, 0), 0, set(), time.monotonic()
        for number, _ in run.map(range(count)):
            came.add(number)
            if len(came) % 8 == 0:
                grown = {name: max(grown[name], own(pid) - before[name]) for name, pid in pids.items()}
                spilled = max(spilled, sum(file.is_file() for file in folder.glob("**/ray_spilled_objects*/**/*")))
        seconds = time.monotonic() - began
    print("FOUND", json.dumps({"came": len(came), "spilled": spilled, "grown": grown, "seconds": seconds}))
    ray.shutdown()
"""


def test_ten_gigabytes_pass_a_small_store_without_spilling_and_within_the_budget_of_bytes() -> None:
    with tempfile.TemporaryDirectory(prefix="pgr-", dir="/tmp") as folder:
        script = write_script(Path(folder), SCRIPT)
        arguments = (PAYLOAD, COUNT, STORE, folder)
        with Driver(script, *arguments, cwd=Path(folder), env={"RAY_TMPDIR": folder}) as driver:
            found = json.loads(driver.said("FOUND", 400))
            assert driver.ended(60) == 0, driver.output
    grown = ", ".join(f"{name} {size / 2**20:.0f} MiB" for name, size in found["grown"].items())
    measured(f"{PAYLOAD * COUNT / 1e9:.1f} GB in {found['seconds']:.0f} s; grown: {grown}")
    assert found["came"] == COUNT
    assert found["spilled"] == 0
    options = pr.FlowOptions()
    budget = options.retention_bytes + options.link_bytes + 2 * PAYLOAD
    assert max(found["grown"].values()) <= budget, found
