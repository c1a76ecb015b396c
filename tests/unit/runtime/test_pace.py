"""When a busy replica sends what it has given: seldom, soon enough, and at once when it has no more to do."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from by_hand import HandClock

import penguiray as pr
from penguiray.graph.policies import FlowOptions
from penguiray.link.frame import Feedback, Frame, LinkId
from penguiray.link.sender import Sender
from penguiray.plan.compile import compile_plan
from penguiray.runtime.bound import Item
from penguiray.runtime.cancelled import Cancelled
from penguiray.runtime.outbox import Outbox
from penguiray.runtime.pace import Pace


def test_the_next_sending_waits_for_ten_times_what_the_last_took() -> None:
    pace = Pace()
    assert pace.wait_s(0.0) == 0.0
    pace.sent(1.0, 1.001)
    assert pace.wait_s(1.001) == pytest.approx(0.01)
    assert pace.wait_s(1.006) == pytest.approx(0.005)
    assert pace.wait_s(1.02) == 0.0


def test_but_never_longer_than_20_ms() -> None:
    pace = Pace()
    pace.sent(1.0, 3.0)
    assert pace.wait_s(3.0) == pytest.approx(0.02)


@pr.node(fuse=False)
def first(x: int) -> int:
    return x


@pr.node(fuse=False)
def second(x: int) -> int:
    return x


class Wire:
    """Notes what is sent; each frame takes a while."""

    def __init__(self, clock: HandClock, takes_s: float) -> None:
        self.frames: list[Frame] = []
        self._clock = clock
        self._takes_s = takes_s

    def send(self, frame: Frame) -> int:
        self.frames.append(frame)
        self._clock.time += self._takes_s
        return 10

    def frame_bytes(self, stage: int, full_bytes: float) -> float:
        return full_bytes

    def is_near(self, link: LinkId) -> bool:
        return link.replica == 0


class Bench:
    """An outbox of `first`, which gives messages to `second`."""

    def __init__(self, takes_s: float = 0.001) -> None:
        self.clock = HandClock()
        self.wire = Wire(self.clock, takes_s)
        self.news = 0
        self.has_more = True
        plan = compile_plan(pr.Flow(first >> second).spec, cpus=1)
        options = FlowOptions(frame_messages=4)
        sender = Sender(self.wire, options, epoch=1, clock=self.clock, rng=random.Random(1))
        sender.connect(1, 1)
        self.outbox = Outbox(
            replace(plan.stages[0], passes_on=False),
            sender,
            {},
            Cancelled(),
            self._note_news,
            clock=self.clock,
            has_more=lambda: self.has_more,
            retention_bytes=1_000_000,
        )

    def _note_news(self) -> None:
        self.news += 1

    def give(self, *ids: int) -> None:
        for number in ids:
            self.outbox.finish(Item(number, number, number), [number])
        self.outbox.flush()

    @property
    def sizes(self) -> list[int]:
        return [len(frame.messages) for frame in self.wire.frames]

    def take_feedback(self) -> None:
        frame = self.wire.frames[-1]
        self.outbox.on_feedback(frame.link, Feedback(frame.sequence, 0.0))


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


def test_a_busy_replica_gathers_frames_and_news_until_the_pause_is_over() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.give(1)
        assert (bench.sizes, bench.news) == ([1], 1)
        bench.take_feedback()
        bench.give(2)
        bench.give(3)
        assert (bench.sizes, bench.news) == ([1], 1)
        bench.clock.time += 0.011
        bench.give(4)
        assert (bench.sizes, bench.news) == ([1, 3], 2)

    run(scenario)


def test_a_replica_without_more_to_do_sends_at_once() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.has_more = False
        for number in (1, 2):
            bench.give(number)
            bench.take_feedback()
        assert (bench.sizes, bench.news) == ([1, 1], 2)

    run(scenario)


def test_a_full_frame_does_not_wait() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.give(1)
        bench.take_feedback()
        bench.give(2, 3, 4, 5, 6)
        assert (bench.sizes, bench.news) == ([1, 4], 1)

    run(scenario)


def test_what_waits_is_sent_by_a_timer_if_nothing_else_happens() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.give(1)
        bench.take_feedback()
        bench.give(2)
        assert bench.news == 1
        for _ in range(1_000):
            if bench.news == 2:
                break
            await asyncio.sleep(0.005)
        assert (bench.sizes, bench.news) == ([1, 1], 2)

    run(scenario)


def test_feedback_sends_no_bits_of_a_frame_before_the_pause_is_over() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.give(1)
        bench.give(2)
        bench.take_feedback()
        assert bench.sizes == [1]
        bench.has_more = False
        bench.outbox.flush()
        assert bench.sizes == [1, 1]

    run(scenario)
