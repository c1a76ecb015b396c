"""Getting to Ray and onto its hosts: started, joined, not reached; nodes that cannot be sent, placed, or must wait."""

from __future__ import annotations

import logging
import os
import re
import threading
from pathlib import Path

import pytest
from drivers import Driver, folder_for_ray, measured, processes_of, replicas, until, write_script

import penguiray as pr

OWN_RAY = """
    import os, pathlib, sys, time
    import penguiray as pr

    @pr.node
    def environment(name: str) -> str:
        return os.environ.get(name, "unset")

    @pr.node
    def length(text: str) -> int:
        return len(text)

    with pr.Flow(environment, name="own").start() as run:
        print("MODE", run.ask("RAY_AUTH_MODE"))
        print("TOKEN", pr.Flow(environment >> length).collect(["RAY_AUTH_TOKEN"])[0])
        print("READY")
        deadline = time.monotonic() + 60
        while not pathlib.Path(sys.argv[1]).exists() and time.monotonic() < deadline:
            time.sleep(0.05)
"""

FAR_RAY = """
    import time
    import penguiray as pr

    @pr.node
    def same(number: int) -> int:
        return number

    began = time.monotonic()
    try:
        with pr.Flow(same).start(address="127.0.0.1:9") as run:
            run.ask(1)
    except pr.StartError as error:
        print("ERROR", error)
    print("SECONDS", time.monotonic() - began)
"""


def test_a_flow_starts_a_ray_with_a_token_that_only_its_users_programs_find_and_that_ends_with_the_program(
    tmp_path: Path,
) -> None:
    home, mine, go = tmp_path / "home", tmp_path / "mine", tmp_path / "go"
    home.mkdir()
    mine.mkdir()
    users = {"HOME": str(home), "XDG_RUNTIME_DIR": str(mine)}
    without = [name for name in os.environ if name.startswith("RAY_")]
    own_script = write_script(tmp_path, OWN_RAY, "own.py")
    far_script = write_script(tmp_path, FAR_RAY, "far.py")

    with (
        folder_for_ray() as folder,
        Driver(own_script, go, cwd=tmp_path, env={"RAY_TMPDIR": str(folder), **users}, without=without) as own,
        Driver(far_script, cwd=tmp_path, without=without) as far,
    ):
        own.said("READY")
        assert own.said("MODE") == "token"
        assert int(own.said("TOKEN")) >= 32
        assert any("raylet" in line for line in processes_of(folder))

        with Driver("-m", "penguiray.ui.cli", "ls", cwd=tmp_path, env=users, without=without) as ls:
            assert ls.ended(60) == 0, ls.output
        heads, row = (line.split() for line in ls.lines)
        assert heads == ["name", "flow", "host", "pid", "since", "replicas"]
        assert (row[:2], row[3], row[-2]) == (["own", "own"], str(own.process.pid), "environment")
        with Driver("-m", "penguiray.ui.cli", "ls", cwd=tmp_path, env={"HOME": str(home)}, without=without) as other:
            assert other.ended(60) == 1
        assert other.output == (
            "Error: no Ray of yours was found here: name one with address=, --address or RAY_ADDRESS"
        )

        go.touch()
        assert own.ended(20) == 0, own.output
        until(lambda: processes_of(folder), lambda found: found == [], 15)
        assert list(home.rglob("*")) == []
        assert list((mine / "penguiray").iterdir()) == []

        assert far.ended(20) == 0, far.output

        text = far.said("ERROR")
        assert float(far.said("SECONDS")) < 15
        measured(f"a wrong address is told after {float(far.said('SECONDS')):.0f} s")
        assert re.search(r"no Ray could be reached at '127.0.0.1:9' \(nobody listens there.*RAY_AUTH_MODE", text), text


@pytest.mark.usefixtures("ray_cluster")
def test_a_node_that_cannot_be_pickled_is_named_with_its_place_before_anything_starts() -> None:
    lock = threading.Lock()

    @pr.node
    def locked(number: int) -> int:
        with lock:
            return number

    line = locked.spec.where.rpartition(":")[2]
    text = rf"'locked' \(test_session:{line}\).*cannot pickle '_thread.lock'"
    with pytest.raises(pr.FlowError, match=text) as caught:
        pr.Flow(locked, name="locked").start()
    assert caught.value.__dict__["node"] == "locked"
    assert replicas("locked/") == []


@pr.node
def same(number: int) -> int:
    return number


TOO_MUCH: list[tuple[dict[str, object], str]] = [
    ({"num_cpus": 1000}, r"needs CPU 1000 on one host; the most that any of 1 hosts has is CPU 4\."),
    ({"resources": {"abacus": 2}}, r"needs abacus 2 on one host; the most that any of 1 hosts has is abacus 0\."),
    ({"label_selector": {"zone": "moon"}}, r"needs label zone=moon; no host has these labels"),
]


@pytest.mark.usefixtures("ray_cluster")
def test_a_node_that_no_host_can_hold_is_refused_with_what_it_needs_and_what_there_is() -> None:
    flows = [pr.Flow(same.options(replicas=1, **options), name="huge") for options, _ in TOO_MUCH]
    runs = [flow.start(name=f"huge-{number}") for number, flow in enumerate(flows)]

    for run, (_, text) in zip(runs, TOO_MUCH, strict=True):
        with pytest.raises(pr.PlacementError, match=text) as caught:
            run.wait_ready(timeout_s=10)
        assert caught.value.node == "same"

    until(lambda: replicas("huge-"), lambda names: names == [], 5)


@pytest.mark.usefixtures("ray_cluster")
def test_a_node_that_waits_for_its_place_warns_and_starts_when_it_is_free(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "penguiray")
    greedy = same.options(replicas=1, num_cpus=3)

    with pr.Flow(greedy, name="holder").start() as holder:
        waiter = pr.Flow(greedy, name="waiter").start()
        told = until(lambda: [record.getMessage() for record in caplog.records if record.name == "penguiray"], bool, 15)
        assert re.search(r"'same' waits for CPU 3; .* has CPU 1 of 4 free", told[0]), told
        assert holder.ask(1) == 1
        with pytest.raises(pr.DeadlineExceeded):
            waiter.ask(2, timeout_s=0.1)

    with waiter:
        assert waiter.ask(3, timeout_s=20) == 3
