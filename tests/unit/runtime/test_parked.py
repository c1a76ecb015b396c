"""Messages that wait for another attempt are bounded, whichever worker a node has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import penguiray as pr
from penguiray.testing import VirtualClock

RETRY = pr.Retry(max_attempts=2, initial_s=1_000.0, max_s=1_000.0, budget_reserve=1_000)
LIMIT = 20
BATCH = 5


class FailsOnce:
    """A node that fails on each message the first time, and notes when."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.failed: dict[int, float] = {}

    def one(self, x: int) -> int:
        if x not in self.failed:
            self.failed[x] = self.now()
            raise OSError(x)
        return x

    def together(self, xs: list[int]) -> list[int]:
        new = [x for x in xs if x not in self.failed]
        self.failed.update(dict.fromkeys(new, self.now()))
        if new:
            raise OSError(new)
        return xs


@pytest.mark.parametrize("kind", ["columns", "tasks", "batches"])
def test_no_more_messages_wait_for_another_attempt_than_a_limit(
    virtual_clock: VirtualClock, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    for worker in ("column_worker", "task_worker", "batch_worker"):
        monkeypatch.setattr(f"penguiray.runtime.{worker}.PARKED_LIMIT", LIMIT)
    node = FailsOnce(virtual_clock.now)
    made: dict[str, Callable[[], pr.Node[Any, Any]]] = {
        "columns": lambda: pr.node(name="n", retry=RETRY)(node.one),
        "tasks": lambda: pr.node(name="n", retry=RETRY, concurrency=2)(node.one),
        "batches": lambda: pr.node(name="n", retry=RETRY, batch=pr.Batch(max_size=BATCH))(node.together),
    }
    with pr.Flow(made[kind]()).start() as run:
        assert sorted(run.map(range(100), window=100)) == list(range(100))
    at_once = [x for x, at in node.failed.items() if at < 1.0]
    assert LIMIT <= len(at_once) <= LIMIT + BATCH
