"""Inputs that are given one by one, by an iterator that waits for what came of those before."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from drivers import until

import penguiray as pr

PATIENCE_S = 60.0


@pr.node(fuse=False)
def slow(x: int) -> int:
    time.sleep(0.002)
    return x


@pr.node(fuse=False)
def double(x: int) -> int:
    return 2 * x


@pytest.mark.usefixtures("ray_cluster")
def test_an_input_is_on_its_way_while_the_next_one_is_waited_for() -> None:
    """Also one that was read while all links were busy: each third input is given when all before it are done."""
    with pr.Flow(slow >> double).start() as run:

        def inputs() -> Iterator[int]:
            for number in range(0, 90, 3):
                until(lambda: run.status().inputs_done, number.__le__, PATIENCE_S)
                yield from range(number, number + 3)

        assert sorted(run.map(inputs(), window=90)) == [2 * number for number in range(90)]
