"""What a stage in the middle of a straight flow tells of messages that went on, and when."""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

import pytest
from by_hand import HandClock, NotingWire

import penguiray as pr
from penguiray.graph.policies import FlowOptions
from penguiray.ingress.losses import Losses
from penguiray.ingress.outcomes import Outcomes
from penguiray.ingress.reports import Reports
from penguiray.ingress.roots import roots_for
from penguiray.link.frame import LinkId
from penguiray.link.ids import first_call, first_id, root_of
from penguiray.link.message import Messages
from penguiray.link.report import NodeCount, Report
from penguiray.plan.plan import Plan
from penguiray.runtime.bound import Item
from penguiray.runtime.passed import Passed
from penguiray.runtime.replica import Replica

P = ParamSpec("P")


def on_a_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


@pr.node(fuse=False)
def first(x: int) -> int:
    return x


@pr.node(fuse=False)
def second(x: int) -> int:
    return x


@pr.node(fuse=False)
def third(x: int) -> int:
    return x


class Bench:
    """The outbox of `first`, which gives messages to `second`; or that of `second`."""

    def __init__(self, of: int = 0) -> None:
        plan = pr.Flow(first >> second).plan()
        self.clock, self.wire, self.woken = HandClock(), NotingWire(), 0
        replica = Replica(
            plan.stages[of], FlowOptions(), self.wire, epoch=7, clock=self.clock, rng=random.Random(0),
            on_news=self._wake, inline=True,
        )  # fmt: skip
        if of == 0:
            replica.connect(1, 1)
        self.replica, self.outbox, self.counts = replica, replica.outbox, replica._counts

    def _wake(self) -> None:
        self.woken += 1

    def finish(self, position: int, *outputs: int) -> None:
        self.outbox.finish(item(position), list(outputs))
        self.outbox.flush()

    def finish_column(self, *positions: int) -> None:
        roots = [root_of(1, position) for position in positions]
        self.outbox.finish_column(Messages(roots, [first_id(root, 0) for root in roots], list(positions)))
        self.outbox.flush()


def item(position: int) -> Item:
    root = root_of(1, position)
    return Item(root, first_id(root, 0), position)


def positions_in(report: Report) -> list[int]:
    assert report.ids == [first_id(root, 0) for root in report.roots]
    return [root - root_of(1, 0) for root in report.roots]


@on_a_loop
async def test_what_went_on_is_not_told_but_to_who_asks_what_is_held_and_to_that_one_once() -> None:
    bench = Bench()
    bench.finish_column(0, 1)
    bench.finish(2, 5)
    assert (bench.woken, bench.outbox.has_news, len(bench.wire.frames) > 0) == (0, False, True)
    number, _ = bench.replica.held()
    assert (number, bench.woken) == (1, 1)
    report = bench.outbox.take_report()
    assert (positions_in(report), report.counts, report.number) == ([0, 1, 2], [1, 1, 1], 1)
    assert bench.replica.held()[0] == 1
    assert bench.woken == 1


@on_a_loop
async def test_the_counters_are_told_a_moment_later_and_once_for_all_that_happened_by_then() -> None:
    bench = Bench()
    for position in range(5):
        bench.finish(position, 0)
    async with asyncio.timeout(30):
        while not bench.woken:
            await asyncio.sleep(0.01)
    report = bench.outbox.take_report()
    assert (bool(report), report.ids, list(report.counters), bench.woken) == (True, [], ["first"], 1)
    assert not bench.outbox.has_news


@on_a_loop
async def test_a_call_that_was_made_again_is_told_at_once() -> None:
    bench = Bench()
    bench.finish(0, 1)
    assert bench.woken == 0
    bench.counts["first"].retried += 1
    bench.finish(1, 1)
    assert (bench.woken, bench.outbox.take_report().counters["first"].retried) == (1, 1)
    bench.finish(2, 1)
    assert bench.woken == 1


@on_a_loop
async def test_counters_that_went_with_something_else_are_not_told_once_more() -> None:
    bench = Bench()
    bench.finish(0, 1)
    bench.finish(1)
    assert bench.outbox._counters_later is not None
    bench.outbox.take_report()
    assert bench.outbox._counters_later is None


@on_a_loop
async def test_the_owner_is_told_the_counters_of_what_others_sent() -> None:
    bench = Bench(of=1)
    bench.outbox.attach(3, lambda: None)
    root = root_of(first_call(3) + 1, 0)
    bench.outbox.finish(Item(root, first_id(root, 1), 0), [0])
    bench.outbox.flush()
    assert bench.woken == 0
    async with asyncio.timeout(30):
        while not bench.woken:
            await asyncio.sleep(0.01)
    assert list(bench.outbox.take_report().counters) == ["second"]


@pytest.mark.parametrize("outputs", [[], [1, 2]])
@on_a_loop
async def test_whatever_else_becomes_of_a_message_is_told_at_once(outputs: list[int]) -> None:
    bench = Bench()
    bench.finish(0, *outputs)
    assert bench.woken == 1
    report = bench.outbox.take_report()
    assert (positions_in(report), report.counts) == ([0], [len(outputs)])
    bench.outbox.fail(item(1), "first", 1, ValueError("no"))
    bench.outbox.flush()
    assert [failure.root for failure in bench.outbox.take_report().failures] == [root_of(1, 1)]


@on_a_loop
async def test_a_replica_that_had_a_suspect_tells_all_from_then_on() -> None:
    bench = Bench()
    bench.finish(0, 1)
    bench.outbox.note_begun(root_of(1, 1), first_id(root_of(1, 1), 0))
    bench.outbox.take_report()
    bench.finish(1, 1)
    assert positions_in(bench.outbox.take_report()) == [1]


def test_what_passed_is_kept_for_a_second_or_two_and_not_much_of_it() -> None:
    clock = HandClock()
    passed = Passed(clock)
    passed.note([1], [10])
    clock.time = 0.9
    passed.note([2], [20])
    clock.time = 1.9
    passed.note([3], [30])
    assert passed.take() == ([1, 2, 3], [10, 20, 30])
    assert passed.take() == ([], [])
    clock.time = 10.0
    passed.note([4], [40])
    clock.time = 11.1
    passed.note([5], [50])
    clock.time = 12.2
    passed.note([6], [60])
    assert passed.take() == ([5, 6], [50, 60])
    for number in range(100):
        passed.note([number] * 1_000, [number] * 1_000)
    roots, ids = passed.take()
    assert 6_000 < len(roots) == len(ids) < 16_000
    assert roots[-1] == 99


def reports_of(plan: Plan) -> Reports:
    """Reports that nobody else hears of."""
    losses = Losses(plan, roots_for(plan), None, dict, keeps=False)  # type: ignore[arg-type]  # nothing is sent
    outcomes: Outcomes = None  # type: ignore[assignment]  # nothing comes out
    return Reports(plan, roots_for(plan), losses, outcomes)


def counted(name: str, taken: int, given: int, failed: int = 0) -> Report:
    return Report(0, number=1, counters={name: NodeCount(taken, given, failed)})


def test_a_stage_has_given_what_the_next_one_took_though_it_has_not_told_yet() -> None:
    plan = pr.Flow(first >> second >> third).plan()
    reports = reports_of(plan)
    reports.take(LinkId(0, 0), counted("first", 12, 10, failed=2))
    reports.take(LinkId(2, 0), counted("third", 40, 40))
    counts = reports.counts()
    assert [(counts[name].taken, counts[name].given) for name in ("first", "second", "third")] == [
        (42, 40), (40, 40), (40, 40),
    ]  # fmt: skip
    assert counts["first"].failed == 2
    reports.take(LinkId(0, 0), Report(0, number=2, counters={"first": NodeCount(50, 48, 2)}))
    assert (reports.counts()["first"].taken, reports.counts()["first"].given) == (50, 48)


def test_messages_that_were_under_way_when_a_stage_told_are_not_counted_twice() -> None:
    plan = pr.Flow(first >> second).plan()
    reports = reports_of(plan)
    reports.take(LinkId(0, 0), counted("first", 32, 0, failed=1))
    reports.take(LinkId(1, 0), counted("second", 31, 31))
    count = reports.counts()["first"]
    assert (count.taken, count.given, count.failed) == (32, 31, 1)


def middle(flow: pr.Flow[int, int]) -> list[bool]:
    return [stage.passes_on for stage in flow.plan().stages]


def test_only_the_middle_of_a_straight_flow_passes_on_whose_inputs_may_be_sent_again_as_they_are() -> None:
    assert middle(pr.Flow(first >> second >> third)) == [True, True, False]
    assert middle(pr.Flow(first)) == [False]
    assert middle(pr.Flow(first >> (second, third))) == [False] * 3
    once = second.options(delivery="at_most_once")
    assert middle(pr.Flow(first >> once >> third)) == [False] * 3
    dice = second.options(deterministic=False)
    assert middle(pr.Flow(first >> dice >> third)) == [False] * 3
