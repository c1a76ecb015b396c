"""penguiray on Ray with the counts of keyed spread over replicas; `key_flow` says what that promises."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.measure import Measures, counting
from benchmarks.peers.penguiray_flows import key_flow
from benchmarks.ray_session import ray_session
from benchmarks.workloads import Event


def run_keyed(n: int) -> Measures:
    """Keyed by `run.map`: the largest count of each user, less what earlier maps had counted."""
    with ray_session(), key_flow().start(engine="ray") as run:
        latest: dict[str, int] = {}

        def count(inputs: Sequence[Event]) -> dict[str, int]:
            before = dict(latest)
            for user, so_far in run.map(inputs):
                if so_far > latest.get(user, 0):
                    latest[user] = so_far
            return {user: so_far - before.get(user, 0) for user, so_far in latest.items()}

        return counting(count, n)
