"""The owner of a payload in the object store is killed before, while and after the receiver fetches it.

A large part of a message is put in the store by its sender, and fetched by Ray for the receiver before the call that
brings it runs. With its sender the owner of the payload is gone, and Ray gives it to nobody any more.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from drivers import Driver, folder_for_ray, measured, write_script

SCRIPT = """
    import json, os, pathlib, pickle, signal, sys, threading, time
    import numpy as np
    import numpy.typing as npt
    import ray
    from ray.cluster_utils import Cluster
    import penguiray as pr

    hosts, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])
    SIZE = 1_000_000  # of eight bytes each
    DELAYS_S = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064)

    def which(header: bytes) -> str:
        (_, _, epoch, sequence, _, _), *_ = pickle.loads(header)
        return f"{epoch}-{sequence}"

    def wanted(fault: str, key: str) -> str | None:
        \"\"\"What is asked for, once; notes which frame it is done to.\"\"\"
        try:
            (folder / fault).rename(folder / f"{fault}.taken")
        except FileNotFoundError:
            return None
        (folder / f"{fault}.key").write_text(key)
        return (folder / f"{fault}.taken").read_text()

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def is_alive(pid: int) -> bool:
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    def kill_owner() -> None:
        for pid in [int(file.name) for file in (folder / "owners").iterdir()]:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
            while is_alive(pid):
                time.sleep(0.001)

    class Make:
        \"\"\"Owns what it gives.\"\"\"

        def setup(self) -> None:
            from penguiray.actors.calls import CallTransport

            carry = CallTransport.carry

            def carried(self, parcel, *more, **wishes):
                carry(self, parcel, *more, **wishes)
                if parcel.buffers:
                    if wanted("before", which(parcel.header)) is not None:
                        die()
                    delay = wanted("while", which(parcel.header))
                    if delay is not None:
                        threading.Timer(float(delay), die).start()
                    wanted("held up", which(parcel.header))

            CallTransport.carry = carried
            (folder / "owners" / str(os.getpid())).touch()

        def __call__(self, x: int) -> npt.NDArray[np.int64]:
            return np.full(SIZE, x)

    class Again:
        \"\"\"Fetches it, works on it for a while, and passes it on.\"\"\"

        def setup(self) -> None:
            from penguiray.actors.process import ReplicaProcess

            receive = ReplicaProcess.receive

            def received(self, place, header, data, attachments):
                if attachments:
                    with (folder / "arrived").open("a") as file:
                        file.write(which(header) + chr(10))
                    if wanted("after", which(header)) is not None:
                        kill_owner()
                answer = receive(self, place, header, data, attachments)
                if attachments and wanted("after it was taken", which(header)) is not None:
                    kill_owner()
                return answer

            ReplicaProcess.receive = received

        def __call__(self, xs: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
            time.sleep(0.005)
            return xs

    class Measure:
        def __call__(self, xs: npt.NDArray[np.int64]) -> tuple[int, int]:
            return int(xs.sum()), len(xs)

    (folder / "owners").mkdir()
    head = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": 150_000_000, "resources": {"left": 9}}
    if hosts == 1:
        head["resources"]["right"] = 9
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        receiver = cluster.head_node
        if hosts == 2:
            receiver = cluster.add_node(num_cpus=2, object_store_memory=150_000_000, resources={"right": 9})
        (process,) = (info.process for info in receiver.all_processes["raylet"])
        ray.init(address=cluster.address, log_to_driver=False)
        options = {"replicas": 1, "fuse": False}
        graph = (
            pr.actor(resources={"left": 1}, **options)(Make)()
            >> pr.actor(resources={"right": 1}, **options)(Again)()
            >> pr.actor(resources={"left": 1}, **options)(Measure)()
        )
        found = []
        with pr.Flow(graph, name="owners").start() as run:

            def play(fault: str, delay_s: float) -> None:
                asked, key, before = folder / fault, folder / f"{fault}.key", time.monotonic()
                key.unlink(missing_ok=True)
                (folder / "asked").write_text(str(delay_s))
                (folder / "asked").rename(asked)
                inputs = range(1, 13)
                results = iter(run.map(inputs, window=6))
                if fault == "held up":  # the receiver's host fetches nothing until the owner is gone
                    os.kill(process.pid, signal.SIGSTOP)
                    threading.Thread(target=let_go, args=[key]).start()
                came = sorted(results)
                arrived = (folder / "arrived").read_text().split()
                found.append({
                    "fault": fault, "delay_s": delay_s, "arrived": key.read_text() in arrived,
                    "right": came == [(x * SIZE, SIZE) for x in inputs], "seconds": time.monotonic() - before,
                })

            def let_go(key: pathlib.Path) -> None:
                try:
                    end = time.monotonic() + 20
                    while not key.exists() and time.monotonic() < end:
                        time.sleep(0.001)
                    kill_owner()
                finally:
                    os.kill(process.pid, signal.SIGCONT)

            for _ in range(2):
                for fault in ("before", "after", "after it was taken", *["held up"] * (hosts == 2)):
                    play(fault, 0.0)  # a lone host has the sender's store, too, and holds up the sender
            for delay_s in DELAYS_S:
                play("while", delay_s)
            status = run.status()
            wrong = [status.inputs_live, status.inputs_done - 12 * len(found), status.dead_letters]
            owners = len(list((folder / "owners").iterdir()))
        print("FOUND", json.dumps({"faults": found, "wrong": wrong, "owners": owners}))
    finally:
        ray.shutdown()
        cluster.shutdown()
"""


@pytest.mark.parametrize("hosts", [1, 2], ids=["one host", "two hosts"])
def test_a_payload_whose_owner_is_killed_around_its_fetch_is_made_again_and_comes_once(
    tmp_path: Path, hosts: int
) -> None:
    (tmp_path / "faults").mkdir()
    with folder_for_ray() as folder:
        script = write_script(tmp_path, SCRIPT)
        env = {"RAY_TMPDIR": str(folder), "RAY_AUTH_MODE": "disabled"}
        with Driver(script, hosts, tmp_path / "faults", cwd=tmp_path, env=env) as driver:
            found = json.loads(driver.said("FOUND", 300))
            assert driver.ended(60) == 0, driver.output
    faults = found["faults"]
    for fault in faults:
        measured(
            f"owner killed {fault['fault']} ({1_000 * fault['delay_s']:g} ms): the payload "
            f"{'had come' if fault['arrived'] else 'never came'}; all right after {fault['seconds']:.1f} s"
        )
    assert all(fault["right"] for fault in faults)
    assert found["wrong"] == [0, 0, 0]
    assert found["owners"] == 1 + len(faults), "each fault cost an owner"
    assert all(fault["arrived"] for fault in faults if fault["fault"].startswith("after"))
    assert not any(fault["arrived"] for fault in faults if fault["fault"] == "held up")
