"""Kills and what holds beside them: sums, and nodes that may not get a message twice."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import pytest
from test_losses import Registered, Spread, Wait, killing, made

import penguiray as pr


@pytest.mark.usefixtures("ray_cluster")
def test_a_sum_counts_each_message_once_though_those_before_it_are_killed(tmp_path: Path) -> None:
    total: pr.Node[int, int] = pr.fold(int, lambda sum_, x: sum_ + x, lambda sum_: sum_)
    graph = made(Spread, tmp_path, replicas=1) >> (made(Wait, tmp_path), total)
    flow = pr.Flow(graph)
    with flow.start() as run:
        results = Counter(killing(iter(run.map([4 * x + 3 for x in range(300)])), tmp_path, every=200, kills=3))
    parts = [(4 * x + 3) * 10 + y for x in range(300) for y in range(3)]
    assert results == Counter([*(part + 1 for part in parts), sum(parts)])


class Charge(Registered):
    """Notes each call, so that a test can count them."""

    def __call__(self, x: int) -> int:
        (self.folder / f"call-{x}-{os.getpid()}-{time.monotonic_ns()}").touch()
        time.sleep(0.002)
        return x


@pytest.mark.usefixtures("ray_cluster")
def test_at_most_once_does_nothing_twice_and_tells_which_inputs_were_lost(tmp_path: Path) -> None:
    flow = pr.Flow(made(Charge, tmp_path, replicas=2, delivery="at_most_once"))
    with flow.start() as run:
        found = list(killing(iter(run.map(range(600), on_error="yield")), tmp_path, every=100, kills=2))
        assert run.ask(1_000) == 1_000
    lost = {error.index for error in found if isinstance(error, pr.NodeError)}
    assert sorted(x for x in found if isinstance(x, int)) == sorted(set(range(600)) - lost)
    assert all(isinstance(error.__cause__, pr.ReplicaLost) for error in found if isinstance(error, pr.NodeError))
    calls = Counter(int(file.name.split("-")[1]) for file in tmp_path.glob("call-*"))
    assert set(calls.values()) == {1}
    assert set(range(600)) - lost <= calls.keys()
