"""A status adds up what replicas reported, and says it in a table."""

from __future__ import annotations

import penguiray as pr
from penguiray.link.report import NodeCount
from penguiray.observe.status import status_of


@pr.node
def first(x: int) -> int:
    return x


@pr.node(concurrency=4)
async def second(x: int) -> int:
    return x


def test_rates_and_busy_shares_are_over_time_replicas_and_places() -> None:
    plan = pr.Flow(first >> second, name="index").plan()
    counts = {"first": NodeCount(100, 90, 10, 3, busy_s=5.0), "second": NodeCount(90, 90, 0, 0, busy_s=20.0)}
    status = status_of(
        plan,
        counts,
        state="running",
        seconds=10.0,
        inputs_live=2,
        inputs_done=98,
        dead_letters=10,
        longest_s={"first": 7},
    )
    assert [(node.name, node.rate_per_s, node.busy) for node in status.nodes] == [
        ("first", 10.0, 0.5),
        ("second", 9.0, 0.5),
    ]
    assert [node.longest_call_s for node in status.nodes] == [7, 0]
    assert [node.places for node in status.nodes] == [1, 4]
    lines = str(status).splitlines()
    assert lines[0] == "index: running, 98 inputs done, 2 under way, 10 dead letters, 10.0 s"
    assert [line.split()[0] for line in lines[1:]] == ["node", "first", "second"]


def test_the_busy_share_of_a_node_that_finds_its_concurrency_is_of_its_mean_number_of_places() -> None:
    plan = pr.Flow(second.options(concurrency="auto", replicas=2)).plan()
    here, there = NodeCount(busy_s=300.0, places=80, place_s=500.0, watched_s=10.0), NodeCount(busy_s=300.0, places=40)
    there.place_s, there.watched_s = 300.0, 10.0
    (node,) = status_of(
        plan,
        {"second": here.plus(there)},
        state="running",
        seconds=10.0,
        inputs_live=0,
        inputs_done=0,
        dead_letters=0,
        longest_s={},
    ).nodes
    assert (node.busy, node.places) == (0.75, 120)
