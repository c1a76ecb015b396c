"""A run that is started and ended again and again leaves nothing behind that adds up."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from pathlib import Path

from drivers import bytes_in_store, replicas, until

import penguiray as pr

SLACK = 3
"""Threads and files that come and go by themselves, Ray's above all."""


@pr.node(fuse=False)
def double(x: int) -> int:
    return 2 * x


@pr.node(fuse=False, timeout_s=60.0, concurrency=2)
def in_threads(x: int) -> int:
    return x + 1


@pr.node(fuse=False)
async def waits(x: int) -> int:
    await asyncio.sleep(0)
    return x


def cycle(flow: pr.Flow[int, int], number: int) -> None:
    """Start, use and end a run: by draining, by leaving a loop, and by an error in the block."""
    if number % 3 == 0:
        with flow.start() as run:
            assert sorted(run.map(range(3))) == [1, 3, 5]
    elif number % 3 == 1:
        for result in flow.map(range(100)):
            assert result % 2 == 1
            break
    else:
        with contextlib.suppress(ZeroDivisionError), flow.start() as run:
            run.send(1)
            raise ZeroDivisionError


def held() -> tuple[int, int]:
    """Threads and open files of this process."""
    gc.collect()
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


def test_a_thousand_runs_on_the_local_engine_leave_no_thread_and_no_file(local_engine: str) -> None:
    flow = pr.Flow(double >> in_threads >> waits, name="cycles")
    for number in range(30):
        cycle(flow, number)
    before = held()
    for number in range(1_000):
        cycle(flow, number)
    after = until(held, lambda now: now[0] <= before[0] and now[1] <= before[1] + SLACK, 30)
    assert after[0] <= before[0]


def test_thirty_runs_on_ray_leave_no_actor_thread_file_or_object(ray_cluster: str) -> None:
    flow = pr.Flow(double >> in_threads >> waits, name="cycles")
    shared = Path("/dev/shm")  # noqa: S108 - only looked at
    for number in range(3):
        cycle(flow, number)

    def look() -> tuple[int, ...]:
        return (*held(), len(replicas()), bytes_in_store(), len(list(shared.iterdir())))

    before = look()
    for number in range(30):
        cycle(flow, number)
    limits = (before[0] + SLACK, before[1] + SLACK, 0, before[3], before[4])
    until(look, lambda now: all(one <= limit for one, limit in zip(now, limits, strict=True)), 60)
