"""Several programs that use one run: each gets what it asked for, and only the one that started it ends it."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from drivers import Driver, attached, measured, replicas, until, write_script

import penguiray as pr
from penguiray.actors.reader import MOST_ATTACHED

LET_GO_S = 30.0
"""Longest from the kill of an attached program to its place being free; the lease is 20 s."""

OWNER = """
    import pathlib, sys
    from collections.abc import Iterator
    import penguiray as pr

    @pr.node(replicas=2, fuse=False)
    def spread(number: int) -> Iterator[int]:
        if number < 0:
            raise ValueError("negative")
        yield from range(number)

    @pr.node(replicas=1, fuse=False)
    def double(number: int) -> int:
        return 2 * number

    total = pr.fold(int, lambda total, number: total + number, lambda total: total, name="total")
    numbers = pr.Flow(spread >> double, name="numbers").start()
    sums = pr.Flow(double >> total, name="sums").start()
    print("READY", numbers.ask_all(2), sums.ask(1), flush=True)
    rounds = 0
    while not pathlib.Path(sys.argv[1]).exists():
        assert sorted(numbers.map([3] * 50)) == sorted([0, 2, 4] * 50)
        assert sums.collect(range(10)) == [90]
        rounds += 1
        print(f"ROUND{rounds}.", flush=True)
    status = numbers.status()
    print("STATUS", status.inputs_done == 50 * rounds + 1, status.inputs_live, flush=True)
    numbers.drain()
    sums.stop()
    print("ENDED")
"""

VISITOR = """
    import threading
    import penguiray as pr

    run = pr.attach("numbers")
    print("ASKED", sorted(run.ask_all(3)))
    next(run.map(iter(lambda: 5, None)))
    print("READY")
    threading.Event().wait(120)
"""


@pytest.fixture
def owner(ray_cluster: str, tmp_path: Path) -> Iterator[Driver]:
    """A program with the runs "numbers" and "sums", which works until the file "end" is there."""
    script = write_script(tmp_path, OWNER, "owner.py")
    with Driver(script, tmp_path / "end", cwd=tmp_path, env={"RAY_ADDRESS": ray_cluster}) as driver:
        driver.said("READY")
        yield driver
    until(lambda: replicas("numbers/") + replicas("sums/"), lambda names: names == [], 30)


def rounds(owner: Driver) -> int:
    """How many rounds of work of its own it has done and found right."""
    assert owner.process.poll() is None, owner.output
    return sum(line.startswith("ROUND") for line in owner.lines)


def test_a_program_that_attached_gets_what_it_asked_for_beside_the_owner_and_cannot_end_the_run(
    owner: Driver, tmp_path: Path
) -> None:
    with pr.attach("numbers") as run, pr.attach("sums") as sums:
        assert (run.name, sorted(run.ask_all(4))) == ("numbers", [0, 2, 4, 6])
        assert Counter(run.map([2, 0, 3] * 200)) == Counter([0, 2, 0, 2, 4] * 200)
        assert list(run.stream(1)) == [0]
        assert [sums.ask(4), *sums.collect([1, 2, 3])] == [8, 12]
        with pytest.raises(pr.NodeError, match="negative") as caught:
            run.ask(-1)
        assert (caught.value.node, len(caught.value.trace_id)) == ("spread", 32)
        assert len(run.dead_letters()) == 1
        with run.map([2] * 10_000) as results:
            next(results)  # and leave, with inputs under way
        until(lambda: run.status().nodes[0].taken, lambda taken: taken > 603 + 50, 20)
        status = run.status()
        assert (status.state, status.dead_letters, status.nodes[0].replicas) == ("running", 1, 2)
        with pytest.raises(pr.StartError, match=r"'nmbers'; there are: numbers, sums$"):
            pr.attach("nmbers")

    with pytest.raises(pr.RunClosed):
        run.ask(1)
    seen = rounds(owner)
    until(lambda: rounds(owner), lambda now: now > seen, 30)

    run = pr.attach("numbers")
    assert sorted(run.ask_all(2)) == [0, 2]
    (tmp_path / "end").touch()
    assert owner.said("STATUS") == "True 0"
    text = (
        rf"run 'numbers' is closed for this program, which attached to it: .*(process {owner.process.pid}|has ended it)"
    )
    with pytest.raises(pr.RunClosed, match=text):
        run.collect(iter(lambda: 2, None))
    owner.said("ENDED")
    assert owner.ended(30) == 0, owner.output


def test_a_run_takes_eight_programs_and_lets_one_go_that_was_killed(
    owner: Driver, ray_cluster: str, tmp_path: Path
) -> None:
    script = write_script(tmp_path, VISITOR, "visitor.py")
    with Driver(script, cwd=tmp_path, env={"RAY_ADDRESS": ray_cluster}) as visitor:
        visitor.said("READY")
        assert visitor.said("ASKED") == "[0, 2, 4]"
        others = [pr.attach("numbers") for _ in range(MOST_ATTACHED - 1)]
        with pytest.raises(pr.StartError, match="8 programs are attached to run 'numbers' already"):
            pr.attach("numbers")
        others.pop().stop()
        others.append(pr.attach("numbers"))
        assert [sorted(run.ask_all(2)) for run in others] == [[0, 2]] * len(others)

        visitor.process.kill()

        killed = time.monotonic()
        found = attached("numbers", LET_GO_S)
        measured(f"place of a killed program: free {time.monotonic() - killed:.1f} s after it")
        assert sorted(found.ask_all(2)) == [0, 2]
        seen = rounds(owner)
        until(lambda: rounds(owner), lambda now: now > seen, 30)
        for run in (*others, found):
            run.stop()
    (tmp_path / "end").touch()
    assert re.search("True 0", owner.said("STATUS"))
    assert owner.ended(60) == 0, owner.output


@pr.node(replicas=1)
async def hold(folder: Path) -> str:
    """Hold the replica's loop up, as no async node should, until there is a file."""
    (folder / "begun").touch()
    until((folder / "go").exists, bool, 30)
    return folder.name


def test_a_loop_that_is_held_up_delays_who_attaches_and_makes_room_for_no_ninth(
    ray_cluster: str, tmp_path: Path
) -> None:
    with pr.Flow(hold, name="held").start() as owner, ThreadPoolExecutor() as asking:
        asked = asking.submit(owner.ask, tmp_path)
        until((tmp_path / "begun").exists, bool, 60)

        others = [pr.attach("held") for _ in range(MOST_ATTACHED)]
        for run in others:
            run.wait_ready(60)
        with pytest.raises(pr.StartError, match="8 programs are attached"):
            pr.attach("held")
        others.pop().stop()
        others.append(pr.attach("held"))
        (tmp_path / "go").touch()

        assert asked.result(60) == tmp_path.name
        assert [run.ask(tmp_path) for run in others] == [tmp_path.name] * MOST_ATTACHED
        for run in others:
            run.stop()


@pr.node(replicas=1)
def process(number: int) -> int:
    return os.getpid()


def test_a_program_that_attached_has_to_attach_again_when_a_replica_was_lost(ray_cluster: str) -> None:
    with pr.Flow(process, name="killed").start() as owner:
        run = pr.attach("killed")
        before = run.ask(1)
        os.kill(before, signal.SIGKILL)
        with pytest.raises(pr.RunClosed, match="lost a replica"):
            run.ask(2, timeout_s=60)
        after = owner.ask(3)
        assert after != before
        with attached("killed", 60) as again:
            assert again.ask(4) == after
