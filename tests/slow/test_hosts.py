"""Hosts of a cluster go while a run works: one is removed, of one Ray's daemon stands still, of one everything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from drivers import Driver, folder_for_ray, measured, write_script

MOST_S = 20.0
"""Longest from the fault until all is done that was under way then. A removed host is noticed at once, as its sockets
close; a daemon that stands still when its health checks have failed, which the cluster here makes often."""
MOST_REMOVED_S = 10.0
"""Longest for a removed host: a successor that Ray places there, before it sees that, is not there for longer."""
MOST_ALONE_S = 35.0
"""Longest where all replicas of a stage are on a host that stands still: 15 s until they are replaced, and a start."""
MOST_UNTUNED_S = 90.0
"""Longest until the replicas of a host are replaced whose daemon stands still, with Ray's own health checks; until then
they live on, and work."""

SCRIPT = """
    import contextlib, json, os, pathlib, signal, sys, threading, time
    import ray
    from ray.cluster_utils import Cluster
    import penguiray as pr

    fault, streams, is_quick = sys.argv[1], sys.argv[2] == "True", sys.argv[3] == "True"

    is_frozen, is_alone = fault.startswith("frozen"), fault == "frozen, and no twin elsewhere"
    place = {"label_selector": {"zone": "spot"}} if is_alone else {"resources": {"head": 1}} if is_frozen else {}

    @pr.node(fuse=False, replicas=1, **place)
    def begin(number: int) -> int:
        return number + 1

    @pr.node(fuse=False, replicas=2, resources={"spot": 2 if is_frozen and not is_alone else 1})
    def work(number: int) -> tuple[int, int]:
        time.sleep(0.002)
        return 2 * number, os.getpid()

    checks = {"health_check_period_ms": 500, "health_check_timeout_ms": 500, "health_check_failure_threshold": 4}
    head = {"num_cpus": 2, "include_dashboard": False, "resources": {"head": 1}}
    if is_quick:
        head["_system_config"] = {**checks, "health_check_initial_delay_ms": 0}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        spot = {"num_cpus": 1, "resources": {"spot": 2}, "labels": {"zone": "spot"}}
        hosts = [cluster.add_node(**spot) for _ in range(1 if is_alone else 2)]
        ray.init(address=cluster.address, log_to_driver=False)
        flow = pr.Flow(begin >> work, name="hosts", options=pr.FlowOptions(streams=streams))
        with flow.start() as run:
            if is_alone:
                hosts.append(cluster.add_node(**spot))
            actor = [a for link, a in run._engine._pool.actors.items() if link.stage == 1][0]
            its = ray.get(actor.host.remote())
            host = next(one for one in hosts if one.node_id == its)
            others = {ray.get(a.renew.remote())[1] for link, a in run._engine._pool.actors.items() if link.stage == 1}
            sent, done, came = {}, {}, {}

            def read():
                for trace, (result, pid) in run.results(with_trace=True):
                    number = int(trace)
                    came.setdefault(number, []).append((result, pid))
                    done.setdefault(number, time.monotonic())

            reader = threading.Thread(target=read)
            reader.start()

            def send(until_s):
                end = time.monotonic() + until_s
                while time.monotonic() < end:
                    if len(sent) - len(done) < 200:
                        number = len(sent)
                        sent[number] = time.monotonic()
                        run.send(number, trace_id=str(number))
                    else:
                        time.sleep(0.001)

            send(2.0)
            paused = []
            at = time.monotonic()
            if fault == "removed":
                cluster.remove_node(host, allow_graceful=False)
            else:
                (process,) = (info.process for info in host.all_processes["raylet"])
                paused = [process.pid]
                if is_frozen:  # all that runs there, not only the daemon
                    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
                    paused += map(int, children.split())
                for pid in paused:
                    os.kill(pid, signal.SIGSTOP)
            send(1.0)
            while [n for n, when in sent.items() if when <= at and n not in done] and time.monotonic() < at + 90:
                time.sleep(0.01)
            held = [done[n] - at for n, when in sent.items() if when <= at and done.get(n, 1e9) > at]
            if fault == "paused":
                # Its replicas lived on, and worked, until Ray took the host for dead.
                end = time.monotonic() + 120
                while run.ask_all(1) and {pid for n in list(came) for _, pid in came[n]} <= others:
                    send(0.2)
                    assert time.monotonic() < end, "no replica was replaced"
                noticed = time.monotonic() - at
            for pid in paused:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            send(0.5)
        reader.join()
        wrong = [n for n in sent if [result for result, _ in came.get(n, [])] != [2 * (n + 1)]]
        found = {"sent": len(sent), "wrong": wrong[:10], "held": len(held), "slowest": max(held, default=0.0)}
        print("FOUND", json.dumps({**found, "noticed": noticed if fault == "paused" else 0.0}))
    finally:
        ray.shutdown()
        cluster.shutdown()
"""


def play(tmp_path: Path, fault: str, *, streams: bool, is_quick: bool) -> dict[str, Any]:
    """Have a host go, and see what comes of it."""
    with folder_for_ray() as folder:
        script = write_script(tmp_path, SCRIPT)
        env = {"RAY_TMPDIR": str(folder), "RAY_AUTH_MODE": "disabled"}
        with Driver(script, fault, streams, is_quick, cwd=tmp_path, env=env) as driver:
            found: dict[str, Any] = json.loads(driver.said("FOUND", 300))
            assert driver.ended(60) == 0, driver.output
    measured(
        f"host {fault}: {found['held']} of {found['sent']} inputs were under way, all done within "
        f"{found['slowest']:.1f} s; replaced after {found['noticed']:.1f} s"
    )
    assert found["wrong"] == []
    assert found["sent"] > 300
    return found


@pytest.mark.parametrize("streams", [True, False], ids=["streams", "calls"])
@pytest.mark.parametrize("fault", ["removed", "paused"])
def test_what_a_host_had_is_done_elsewhere_and_nothing_comes_twice(tmp_path: Path, fault: str, streams: bool) -> None:
    found = play(tmp_path, fault, streams=streams, is_quick=True)
    assert max(found["slowest"], found["noticed"]) < MOST_S


@pytest.mark.parametrize("fault", ["removed", "paused", "frozen", "frozen, and no twin elsewhere"])
def test_with_the_health_checks_that_a_cluster_has_by_default_a_host_is_gone_without_as_soon(
    tmp_path: Path, fault: str
) -> None:
    found = play(tmp_path, fault, streams=True, is_quick=False)
    assert found["slowest"] < {"removed": MOST_REMOVED_S, "frozen, and no twin elsewhere": MOST_ALONE_S}.get(
        fault, MOST_S
    )
    assert found["noticed"] < MOST_UNTUNED_S
