"""The memory of a run does not grow with its input."""

from __future__ import annotations

import json
import os
from pathlib import Path

from drivers import Driver, measured, write_script

FEW = 50_000
MANY = int(os.environ.get("PENGUIRAY_TEST_MESSAGES", "400000"))
"""The large input; `PENGUIRAY_TEST_MESSAGES` changes it."""
MOST_GROWTH = 0.10

SCRIPT = """
    import json, os, pathlib, sys, time
    from pydantic import BaseModel
    import penguiray as pr

    class Item(BaseModel):
        number: int
        name: str = ""
        scores: list[float] = []
        seen_by: list[int] = []

    def seen(item: Item) -> Item:
        return item.model_copy(update={"seen_by": [*item.seen_by, os.getpid()]})

    @pr.node(fuse=False, replicas=1)
    def first(item: Item) -> Item:
        return seen(item)

    second, third = first.options(name="second"), first.options(name="third")

    def peak(pid):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))

    n = int(sys.argv[1])
    items = (Item(number=number, name=f"item {number}", scores=[0.5, 1.5]) for number in range(n))
    with pr.Flow(first >> second >> third, name="memory").start() as run:
        pids = run.ask(Item(number=-1)).seen_by
        began = time.monotonic()
        total = sum(item.number for item in run.map(items))
        seconds = time.monotonic() - began
        assert total == n * (n - 1) // 2
        processes = zip(("driver", "first", "second", "third"), (os.getpid(), *pids))
        peaks = {name: peak(pid) for name, pid in processes}
    print("PEAKS", json.dumps({"seconds": seconds, "peaks": peaks}))
"""


def peaks(folder: Path, messages: int, address: str) -> dict[str, int]:
    """Peak resident memory of each process of a run, in KiB."""
    script = write_script(folder, SCRIPT)
    with Driver(script, messages, cwd=folder, env={"RAY_ADDRESS": address}) as driver:
        found = json.loads(driver.said("PEAKS", 300))
        assert driver.ended(20) == 0, driver.output
    rate = messages / found["seconds"]
    sizes = ", ".join(f"{name} {kib / 1024:.1f} MiB" for name, kib in found["peaks"].items())
    measured(f"{messages:,} messages in {found['seconds']:.1f} s, {rate:,.0f}/s; peaks: {sizes}")
    return dict(found["peaks"])


def test_peak_memory_of_every_process_is_the_same_for_few_and_for_many_messages(
    ray_cluster: str, tmp_path: Path
) -> None:
    few = peaks(tmp_path, FEW, ray_cluster)
    many = peaks(tmp_path, MANY, ray_cluster)

    growth = {name: many[name] / few[name] - 1 for name in few}
    assert all(grown < MOST_GROWTH for grown in growth.values()), growth
