"""What a replica says for a frame: how long a message takes, how long the next one waits, how long it had the frame."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from nowhere import Nowhere

import penguiray as pr
from penguiray.clock import Clock
from penguiray.graph.node import Graph
from penguiray.link.frame import Feedback, Frame, Kind, LinkId
from penguiray.link.ids import child_id, root_of
from penguiray.link.message import Messages
from penguiray.runtime.replica import Replica


class HandClock(Clock):
    time = 0.0

    def now(self) -> float:
        return self.time


CLOCK = HandClock()


@pr.node
def takes_a_second(x: int) -> int:
    CLOCK.time += 1.0
    return x


@pr.node(batch=pr.Batch(max_size=4, max_wait_s=0.0))
def four_in_two_seconds(xs: list[int]) -> list[int]:
    CLOCK.time += 2.0
    return xs


class Bench:
    """A replica, its feedback, and frames of messages."""

    def __init__(self, graph: Graph[int, int]) -> None:
        CLOCK.time = 0.0
        plan = pr.Flow(graph).plan()
        self.said: list[Feedback] = []
        self._sequence = 0
        self.replica = Replica(
            plan.stages[0], plan.options, Nowhere(), epoch=7, clock=CLOCK, rng=random.Random(0),
            on_news=lambda: None, inline=True,
        )  # fmt: skip

    def send(self, count: int) -> list[int]:
        roots = [root_of(1, 100 * self._sequence + number) for number in range(count)]
        messages = Messages(roots, [child_id(root, 0) for root in roots], list(range(count)))
        self.replica.receive(Frame(LinkId(0, 0), 7, self._sequence, Kind.DATA, messages), self.said.append)
        self._sequence += 1
        return roots

    @property
    def ahead(self) -> int:
        return self.replica._inbox.ahead

    def run(self, work: Callable[[Bench], Coroutine[Any, Any, None]]) -> list[Feedback]:
        async def main() -> None:
            await self.replica.open()
            await work(self)
            self.replica.finish()
            await self.replica.run()

        asyncio.run(main())
        assert self.ahead == 0
        return self.said


async def three_frames(bench: Bench) -> None:
    for count in (1, 3, 2):
        bench.send(count)
    assert bench.ahead == 6


def test_who_comes_next_waits_for_all_that_is_there_and_for_what_was_just_taken() -> None:
    said = Bench(takes_a_second).run(three_frames)
    assert [one.service_s for one in said] == pytest.approx([0.0, 1.0, 1.0])
    assert [one.wait_s for one in said] == pytest.approx([0.0, 3.0, 1.0])
    assert [one.held_s for one in said] == pytest.approx([0.0, 3.0, 5.0])


def test_a_batch_node_says_how_long_its_calls_keep_the_next_one_waiting() -> None:
    async def work(bench: Bench) -> None:
        bench.send(4)
        bench.send(4)

    said = Bench(four_in_two_seconds).run(work)
    assert [one.sequence for one in said] == [0, 1]
    assert all(one.wait_s >= 0.0 for one in said)


def test_where_calls_overlap_nobody_waits_while_a_slot_is_free() -> None:
    go = asyncio.Event()

    @pr.node(concurrency=3)
    async def waits(x: int) -> int:
        await go.wait()
        return x

    async def work(bench: Bench) -> None:
        task = asyncio.create_task(bench.replica.run())
        bench.send(1)
        await asyncio.sleep(0.01)
        CLOCK.time += 0.3
        go.set()
        await asyncio.sleep(0.01)
        go.clear()
        for count in (2, 1, 3):
            bench.send(count)
            await asyncio.sleep(0.01)
        go.set()
        bench.replica.finish()
        await task

    said = Bench(waits).run(work)
    each_s = said[1].service_s
    assert each_s > 0.0
    assert [one.wait_s for one in said[1:3]] == pytest.approx([0.0, each_s])
    assert said[3].wait_s > 0.0


def test_what_is_dropped_keeps_nobody_waiting() -> None:
    async def work(bench: Bench) -> None:
        kept, dropped = bench.send(2), bench.send(3)
        bench.replica.note_cancelled([kept[0], *dropped], [])
        bench.replica.drop_cancelled()
        assert bench.ahead == 1

    Bench(takes_a_second).run(work)
