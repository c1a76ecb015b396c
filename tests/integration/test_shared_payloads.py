"""A large payload for several stages lies in Ray's store once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from drivers import bytes_in_store, until

import penguiray as pr

NUMBERS = 500_000
BYTES = 8 * NUMBERS
INPUTS = 5
PATIENCE_S = 60.0


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


@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("streams", [True, False], ids=["streams", "calls"])
def test_a_large_payload_for_three_stages_is_put_once_and_freed_with_the_last_of_them(streams: bool) -> None:
    keep = pr.actor(replicas=1)(Keep)()
    graph = make >> (keep.options(name="a"), keep.options(name="b"), keep.options(name="c"))
    before = bytes_in_store()
    with pr.Flow(graph, options=pr.FlowOptions(streams=streams)).start() as run:
        for x in range(INPUTS):
            assert run.ask_all(x) == [x, x, x]
        held = until(lambda: bytes_in_store() - before, lambda found: found >= INPUTS * BYTES, PATIENCE_S)
        assert held < 1.2 * INPUTS * BYTES
    until(bytes_in_store, lambda found: found < before + BYTES, PATIENCE_S)
