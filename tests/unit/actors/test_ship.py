"""Stages come back as they were; what is large in them is pickled once."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import penguiray as pr
from penguiray.actors.ship import Parcels, unpack_stage

LIMIT = 1_000


class Holds:
    def __init__(self, *arguments: Any, **keywords: Any) -> None: ...

    def __call__(self, x: int) -> int:
        return x


holds = pr.actor(replicas=1, fuse=False)(Holds)


def test_large_arguments_travel_apart_once_and_come_back_in_their_places() -> None:
    table, text = np.arange(LIMIT), "x" * LIMIT
    graph = holds(table, 1, text=text) >> holds.options(name="second")("small", table)
    plan, parcels = pr.Flow(graph).plan(), Parcels(LIMIT)
    packed = parcels.pack(plan)
    assert parcels.pack(plan) == packed
    assert [numbers for _, numbers in packed] == [[0, 1], [0]]
    assert len(parcels.large) == 2
    assert all(len(code) < 2 * LIMIT for code, _ in packed)
    first, second = (unpack_stage(code, numbers, [parcels.large[n] for n in numbers]) for code, numbers in packed)
    (got, one), keywords = first.first.arguments
    assert (got.tolist(), one, keywords) == (table.tolist(), 1, {"text": text})
    assert second.first.arguments[0][0] == "small"
    assert second.first.arguments[0][1].tolist() == table.tolist()
    assert (first.name, second.first.options) == ("Holds", plan.stages[1].first.options)


@pr.node
def halve(x: int) -> int:
    return x // 2


def test_code_of_a_stage_keeps_its_file_name() -> None:
    ((code, numbers),) = Parcels(LIMIT).pack(pr.Flow(halve).plan())
    function = unpack_stage(code, numbers, []).first.code.target
    assert function(8) == 4
    assert function.__globals__ is not globals()
    assert function.__code__.co_filename == __file__


def test_buffers_of_large_arguments_are_not_copied() -> None:
    table, parcels = np.arange(LIMIT), Parcels(LIMIT)
    ((code, numbers),) = parcels.pack(pr.Flow(holds(table)).plan())
    (got,), _ = unpack_stage(code, numbers, parcels.large).first.arguments
    assert np.shares_memory(got, table)


def test_an_argument_that_cannot_be_pickled_names_its_node() -> None:
    with pytest.raises(pr.FlowError, match=r"node 'Holds' .* cannot be sent to a replica") as caught:
        Parcels(LIMIT).pack(pr.Flow(holds(threading.Lock())).plan())
    assert caught.value.node == "Holds"
