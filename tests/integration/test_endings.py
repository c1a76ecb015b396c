"""Programs and replicas that end in the middle of a flow: by Ctrl-C, by a kill, by an exit in a node."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Self

import pytest
from drivers import Driver, is_alive, measured, replicas, until, write_script

import penguiray as pr

CTRL_C_S = 8.0
"""Longest from Ctrl-C to the end of the process; on a quiet machine it takes 2 to 5 s."""
LEASE_END_S = 30.0
"""Longest from the kill of a driver to the end of its actors: the lease is 20 s, and `close()` may take 4."""
LOST_S = 10.0
"""Longest from the end of a replica to the error of its callers."""

SCRIPT = """
    import os, pathlib, sys, time
    import penguiray as pr

    @pr.node(fuse=False, replicas=1)
    def nap(number: int) -> int:
        time.sleep(0.02)
        return number

    @pr.node(replicas=1)
    def forever(mark: str) -> str:
        pathlib.Path(mark).touch()
        while True:
            time.sleep(0.5)

    class SlowToBuild:
        def __init__(self, mark: str) -> None:
            pathlib.Path(mark).touch()
            time.sleep(120)

        def __call__(self, number: int) -> int:
            return number

    kind, mark = sys.argv[1:]
    if kind in ("map", "killed"):
        for number in pr.Flow(nap >> nap.options(name="again"), name=kind).map(range(1_000_000)):
            if number == 3:
                pathlib.Path(mark).touch()
    elif kind == "ask":
        with pr.Flow(forever, name=kind).start() as run:
            run.ask(mark)
    elif kind == "start":
        with pr.Flow(pr.actor(replicas=1)(SlowToBuild)(mark), name=kind).start():
            pass
    print("NOT REACHED")
"""


@pytest.fixture(scope="module")
def busy(ray_cluster: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Driver]]:
    """Programs in the middle of a start, a map and an ask; started together, which takes less time."""
    folder = tmp_path_factory.mktemp("busy")
    script = write_script(folder, SCRIPT)
    with ExitStack() as stack:
        started: dict[str, Driver] = {}
        for name in ("start", "map", "ask", "killed"):
            driver = Driver(script, name, folder / f"{name}.mark", cwd=folder, env={"RAY_ADDRESS": ray_cluster})
            started[name] = stack.enter_context(driver)
        for name, driver in started.items():
            assert driver.process.poll() is None, driver.output
            until((folder / f"{name}.mark").exists, bool, 60)
        yield started


@pytest.fixture(scope="module", autouse=True)
def killed_at(busy: dict[str, Driver]) -> float:
    """When one of them was killed. Its actors end with their lease, some 20 s that other tests fill."""
    assert len(replicas("killed/")) == 2
    busy["killed"].process.kill()
    return time.monotonic()


@pytest.mark.parametrize("kind", ["map", "ask", "start"])
def test_ctrl_c_ends_the_program_with_keyboard_interrupt_and_leaves_no_actor(
    busy: dict[str, Driver], kind: str
) -> None:
    assert replicas(f"{kind}/") != []
    driver = busy[kind]

    began = time.monotonic()
    driver.interrupt()
    code = driver.ended(30)
    took_s = time.monotonic() - began

    measured(f"Ctrl-C in {kind}: {took_s:.1f} s, exit code {code}")
    assert took_s < CTRL_C_S
    assert code != 0
    assert driver.lines[-1] == "KeyboardInterrupt", driver.output
    assert "NOT REACHED" not in driver.output
    until(lambda: replicas(f"{kind}/"), lambda names: names == [], 5)


@pr.node(replicas=1, fuse=False)
def identity(order: str) -> str:
    return order


@pr.node(replicas=1, fuse=False)
def obey(order: str) -> int:
    """Do as told."""
    if order == "sys.exit":
        sys.exit(4)
    if order == "wait":
        threading.Event().wait(60)
    return os.getpid()


class Outcome:
    """A call in a thread of its own, and how it ended."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.error: BaseException | None = None
        self.result: object = None
        self._call = call
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self.result = self._call()
        except BaseException as error:
            self.error = error

    def ended(self, timeout_s: float) -> Self:
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), f"the call had not ended after {timeout_s:g} s"
        return self


def gather(pid: int, order: str) -> int:
    if order == "wait":
        threading.Event().wait(60)
    return os.getpid()


@pytest.mark.usefixtures("ray_cluster")
def test_the_loss_of_a_sum_fails_every_open_call_with_its_nodes_name_and_ends_the_others() -> None:
    gathered = pr.fold(int, gather, name="gathered")
    flow = pr.Flow(identity >> gathered, name="lost")
    with pytest.raises(pr.ReplicaLost), flow.start() as run:  # noqa: PT012
        pid = run.ask("pid")
        asked = Outcome(lambda: run.ask("wait"))
        mapped = Outcome(lambda: run.collect(["wait"] * 20))
        until(lambda: run.status().inputs_live, lambda live: live > 1, 10)

        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        errors = [outcome.ended(LOST_S).error for outcome in (asked, mapped)]
        measured(f"killed replica: calls failed after {time.monotonic() - began:.1f} s")

        for error in errors:
            assert isinstance(error, pr.ReplicaLost)
            assert (error.node, error.replica) == ("gathered", 0)
            assert "'gathered' was lost (its process ended), and with it what it had gathered; run" in str(error)
        until(lambda: replicas("lost/"), lambda names: names == [], 10)
        assert not is_alive(pid)
        run.ask("pid")


@pytest.mark.usefixtures("ray_cluster")
def test_sys_exit_in_a_node_fails_its_message_and_the_replica_lives_on() -> None:
    with pr.Flow(identity >> obey, name="sys-exit").start() as run:
        pid = run.ask("pid")
        with pytest.raises(pr.NodeError, match=r"'obey'.*SystemExit"):
            run.ask("sys.exit", timeout_s=LOST_S)
        assert run.ask("pid") == pid


def test_actors_of_a_killed_program_end_by_themselves(killed_at: float) -> None:
    until(lambda: replicas("killed/"), lambda names: names == [], max(0.0, killed_at + LEASE_END_S - time.monotonic()))

    measured(f"actors of a killed program: gone at the latest {time.monotonic() - killed_at:.1f} s after it")
