"""What a node's constructor is given lies in Ray's store once, however many nodes and replicas are given it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from drivers import bytes_in_store, until

import penguiray as pr

MIB = 1024 * 1024
SIZE = 20 * MIB


class Holds:
    def __init__(self, table: npt.NDArray[np.uint8], *, blob: bytes, name: str) -> None:
        self.table = table
        self.blob = blob
        self.name = name

    def __call__(self, x: int) -> tuple[str, int, int, int, bool]:
        return self.name, os.getpid(), int(self.table.sum()), len(self.blob), self.table.flags.writeable


@pytest.mark.usefixtures("ray_cluster")
def test_a_large_argument_is_in_the_store_once_for_all_nodes_and_replicas_and_gone_after_the_run() -> None:
    table, blob = np.ones(SIZE, dtype=np.uint8), bytes(SIZE)
    holds = pr.actor(replicas=2, fuse=False)(Holds)
    graph = pr.fan(
        holds.options(name="first")(table, blob=blob, name="first"),
        holds.options(name="second")(table, blob=blob, name="second"),
    )
    before = until(bytes_in_store, lambda used: used < MIB, 20)
    with pr.Flow(graph, name="large").start() as run:
        most = bytes_in_store() - before
        results = run.collect(range(40), window=40)
    assert {result[0] for result in results} == {"first", "second"}
    assert {result[2:] for result in results} == {(SIZE, SIZE, False)}
    assert SIZE <= most < 2 * SIZE + MIB
    until(bytes_in_store, lambda used: used <= before, 20)


@pytest.mark.usefixtures("ray_cluster")
def test_one_object_given_twice_is_one_object_in_the_replica() -> None:
    class Same:
        def __init__(self, *tables: Any) -> None:
            self.same = tables[0] is tables[1]

        def __call__(self, x: int) -> bool:
            return self.same

    table = np.ones(SIZE, dtype=np.uint8)
    with pr.Flow(pr.actor(replicas=1)(Same)(table, table)).start() as run:
        assert run.ask(1)
