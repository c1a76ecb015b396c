"""However a run ends, its actors, threads and objects end with it."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from drivers import bytes_in_store, replicas, until

import penguiray as pr

Floats = npt.NDArray[np.float64]

BLOCK = 60_000
"""Floats in a message: 480 KB, above what travels inline, so it lies in Ray's store on its way."""
STAYS = {"penguiray-ray"}
"""The one thread that may stay: the kernel would end Ray's processes with it."""


@pr.node(fuse=False)
def spread(number: int) -> Floats:
    return np.full(BLOCK, number, dtype=np.float64)


@pr.node(fuse=False)
def scale(block: Floats) -> Floats:
    return block * 2


@pr.node(fuse=False)
def total(block: Floats) -> Floats:
    if block[0] < 0:
        raise ValueError("negative")
    return block + 1


def build() -> pr.Flow[int, Floats]:
    return pr.Flow(spread >> scale >> total, name="leftovers")


def drain() -> None:
    with build().start() as run:
        assert sum(int(block[0]) for block in run.map(range(30))) == 2 * sum(range(30)) + 30


def leave_loop_by_break() -> None:
    for block in build().map(range(1_000_000)):
        assert block.shape == (BLOCK,)
        break


def leave_maps_loop_by_break() -> None:
    with build().start() as run:
        for block in run.map(range(1_000_000)):
            assert block.shape == (BLOCK,)
            break
        assert run.ask(4)[0] == 9


def stop_with_inputs_under_way() -> None:
    run = build().start()
    results = run.map(range(1_000_000))
    next(results)
    run.stop()
    with pytest.raises(pr.RunClosed):
        list(results)


def raise_in_the_block() -> None:
    with contextlib.suppress(ZeroDivisionError), build().start() as run:
        next(run.map(range(1_000_000)))
        raise ZeroDivisionError


def fail_in_a_node() -> None:
    with pytest.raises(pr.NodeError):
        build().collect([1, 2, -3, 4])


def own_threads() -> set[str]:
    names = {thread.name for thread in threading.enumerate() if thread.name.startswith("penguiray-")}
    return names - STAYS


def bytes_in_store_after_collection() -> int:
    """The same without what only lies in garbage: a run that has ended is a cycle, with errors that hold frames."""
    gc.collect()
    return bytes_in_store()


SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where the host keeps it


def segments() -> set[str]:
    """Files of ours in the shared memory of the host; Ray's own are there as long as Ray is."""
    return {path.name for path in SHARED_MEMORY.iterdir() if path.name.startswith(("penguiray", "psm_", "pgr"))}


@pytest.mark.usefixtures("ray_cluster")
def test_an_object_that_is_held_is_seen_in_the_store() -> None:
    import ray

    before = bytes_in_store()
    held = ray.put(np.zeros(BLOCK))

    until(bytes_in_store, lambda used: used >= before + BLOCK * 8, 10)
    del held


@pytest.fixture
def shared_memory_is_kept() -> Iterator[None]:
    before = segments()
    yield
    assert segments() <= before


@pytest.mark.usefixtures("ray_cluster", "shared_memory_is_kept")
@pytest.mark.parametrize(
    "way",
    [
        drain,
        leave_loop_by_break,
        leave_maps_loop_by_break,
        stop_with_inputs_under_way,
        raise_in_the_block,
        fail_in_a_node,
    ],
)
def test_actors_threads_and_objects_are_gone_when_a_run_has_ended(way: Callable[[], None]) -> None:
    objects_before = until(bytes_in_store_after_collection, lambda used: used < BLOCK * 8, 20)

    way()

    until(lambda: replicas("leftovers"), lambda names: names == [], 5)
    until(own_threads, lambda names: names == set(), 5)
    until(bytes_in_store_after_collection, lambda used: used <= objects_before, 10)
