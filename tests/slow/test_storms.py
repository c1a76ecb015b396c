"""A node on a cluster that is ill for a while and asks for retries: how often it is called, and that it goes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from drivers import measured
from test_losses import Registered, made

import penguiray as pr

INPUTS = 3_000
WELL_AFTER = 2_000
"""Outcomes until it is well again."""
REPLICAS = 2
RETRY = pr.Retry(max_attempts=5, initial_s=0.01, max_s=0.1, budget_ratio=0.2, budget_reserve=50)


class Ill(Registered):
    """Adds a byte to a file for each call, and fails as long as there is another file."""

    def setup(self) -> None:
        super().setup()
        self.calls = os.open(self.folder / f"calls-{os.getpid()}", os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def __call__(self, x: int) -> int:
        os.write(self.calls, b".")
        if (self.folder / "ill").exists():
            raise ConnectionError("ill")
        return x


@pytest.mark.usefixtures("ray_cluster")
def test_a_storm_of_retries_stays_within_the_budget_of_each_replica_and_all_goes_on_when_the_node_is_well(
    tmp_path: Path,
) -> None:
    (tmp_path / "ill").touch()
    found = []
    with pr.Flow(made(Ill, tmp_path, replicas=REPLICAS, retry=RETRY)).start() as run:
        for outcome in run.map(range(INPUTS), on_error="yield", window=100):
            found.append(outcome)
            if len(found) == WELL_AFTER:
                (tmp_path / "ill").unlink()
        status = run.status()
        assert run.collect(range(100), ordered=True) == list(range(100))
    calls = sum(file.stat().st_size for file in tmp_path.glob("calls-*")) - 100
    errors = [error for error in found if isinstance(error, pr.NodeError)]
    assert sorted([*(e.index for e in errors), *(x for x in found if isinstance(x, int))]) == list(range(INPUTS))
    assert all(isinstance(error.__cause__, ConnectionError) for error in errors)
    most = INPUTS * (1 + RETRY.budget_ratio) + REPLICAS * RETRY.budget_reserve
    measured(f"{INPUTS} inputs, {len(errors)} failed: {calls} calls of at most {most:.0f}")
    assert WELL_AFTER <= len(errors) < WELL_AFTER + 200
    assert INPUTS < calls <= most
    assert calls == INPUTS + status.nodes[0].retried
