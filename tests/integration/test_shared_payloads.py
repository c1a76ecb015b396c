"""A large payload for several stages lies in Ray's store once."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from drivers import bytes_in_store, until

import penguiray as pr

NUMBERS = 500_000
BYTES = 8 * NUMBERS
INPUTS = 5
PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def empty_store(ray_cluster: None) -> None:
    """Nothing of other tests is left."""
    until(bytes_in_store, lambda found: found < BYTES, PATIENCE_S)


@pr.node(fuse=False, replicas=1)
def make(x: int) -> npt.NDArray[np.int64]:
    return np.full(NUMBERS, x)


class Keep:
    """Holds on to what it was given, and so to its place in the store."""

    def __init__(self) -> None:
        self.kept: list[Any] = []

    def __call__(self, xs: npt.NDArray[np.int64]) -> int:
        self.kept.append(xs)
        return int(xs[0])


@pytest.mark.parametrize("streams", [True, False], ids=["streams", "calls"])
def test_a_large_payload_for_three_stages_is_put_once_and_freed_with_the_last_of_them(streams: bool) -> None:
    keep = pr.actor(replicas=1)(Keep)()
    graph = make >> (keep.options(name="a"), keep.options(name="b"), keep.options(name="c"))
    options = pr.FlowOptions(streams=streams, compression=None)  # what is compressed for one of them is not shared
    with pr.Flow(graph, options=options).start() as run:
        for x in range(INPUTS):
            assert run.ask_all(x) == [x, x, x]
        held = until(bytes_in_store, lambda found: found >= INPUTS * BYTES, PATIENCE_S)
        assert held < 1.2 * INPUTS * BYTES
    until(bytes_in_store, lambda found: found < BYTES, PATIENCE_S)


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_a_compressed_payload_takes_little_of_the_store_and_comes_whole(compression: Literal["lz4", "zstd"]) -> None:
    options = pr.FlowOptions(streams=False, compression=compression)
    with pr.Flow(make >> pr.actor(replicas=1)(Keep)(), options=options).start() as run:
        assert sorted(run.map(range(INPUTS))) == list(range(INPUTS))
        assert bytes_in_store() < BYTES


def test_nothing_is_compressed_on_one_host() -> None:
    with pr.Flow(make >> pr.actor(replicas=1)(Keep)()).start() as run:
        assert sorted(run.map([7] * 20)) == [7] * 20
        until(bytes_in_store, lambda found: found >= 20 * BYTES, PATIENCE_S)
