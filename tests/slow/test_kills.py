"""A hundred replicas of one run are killed, one after the other and in pairs."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from drivers import until
from test_losses import Batched, Halve, Spread, Wait, alive, kill, made, reference

import penguiray as pr

KILLS = 100


def inputs_until_killed(folder: Path, sent: list[int], rng: random.Random, killed: list[str]) -> Iterator[int]:
    """Inputs without end, until so many replicas were killed."""
    number, following = 0, 40
    while len(killed) < KILLS:
        if number == following:
            killed.append(kill(folder, rng))
            following += rng.choice([1, 30, 80])
        sent.append(number)
        yield number
        number += 1


@pytest.mark.usefixtures("ray_cluster")
def test_a_hundred_killed_replicas_lose_nothing_and_give_nothing_twice(tmp_path: Path) -> None:
    sent, killed = list[int](), list[str]()
    graph = (
        made(Halve, tmp_path, replicas=2)
        >> made(Spread, tmp_path, replicas=2)
        >> made(Wait, tmp_path)
        >> made(Batched, tmp_path, replicas=1, batch=pr.Batch(max_size=8))
    )
    with pr.Flow(graph).start() as run:
        found = Counter(run.map(inputs_until_killed(tmp_path, sent, random.Random(11), killed)))
        status = run.status()
    assert found == Counter(y for x in sent for y in reference(x))
    assert (status.inputs_live, status.inputs_done, status.dead_letters) == (0, len(sent), 0)
    assert min(Counter(killed).values()) >= 10, Counter(killed)


@pytest.mark.usefixtures("ray_cluster")
def test_a_replica_that_stays_paused_is_replaced_and_what_it_says_late_is_refused(tmp_path: Path) -> None:
    graph = made(Halve, tmp_path, replicas=2, fuse=False) >> made(Wait, tmp_path, fuse=False)
    inputs = range(600)
    wanted = Counter(x // 2 + 1 for x in inputs)
    with pr.Flow(graph).start() as run:
        before = {pid for pid, name in alive(tmp_path).items() if name == "Halve"}
        results = iter(run.map(inputs))
        found = Counter(next(results) for _ in range(50))
        paused = before.pop()
        os.kill(paused, signal.SIGSTOP)
        found += Counter(results)
        assert found == wanted
        new = until(
            lambda: {p for p, name in alive(tmp_path).items() if name == "Halve"} - before - {paused}, bool, 60.0
        )
        with suppress(ProcessLookupError):
            os.kill(paused, signal.SIGCONT)
        assert Counter(run.map(inputs)) == wanted
        assert len(new) == 1
