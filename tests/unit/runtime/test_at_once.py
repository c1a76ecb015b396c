"""Which messages are worked on in the thread of the replica's loop, and what that thread is like for their code."""

from __future__ import annotations

import asyncio
import decimal
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from nowhere import Nowhere

import penguiray as pr
from penguiray.clock import SystemClock
from penguiray.graph.context import Context
from penguiray.graph.inside import inside_node
from penguiray.graph.node import Graph
from penguiray.link.frame import Feedback, Frame, Kind, LinkId
from penguiray.link.ids import child_id, root_of
from penguiray.link.message import Facts, Messages
from penguiray.link.report import Report
from penguiray.runtime.home import Home
from penguiray.runtime.light import LIGHT_S
from penguiray.runtime.replica import Replica

SAFETY_S = 30.0
ENOUGH = 40
"""More messages than have to be seen before any is worked on at once."""


class HandClock(SystemClock):
    """Stands still while nobody moves it: how long a call takes is what it says."""

    time = 0.0

    def now(self) -> float:
        return self.time


CLOCK = HandClock()
HOME = threading.get_ident()
"""The thread of the tests, in which loops are at home."""


@pr.node
def where(takes_s: float) -> int:
    CLOCK.time += takes_s
    return threading.get_ident()


@pr.node
def where_with_context(takes_s: float, ctx: Context) -> int:
    return threading.get_ident()


@pr.node
def where_and_more(takes_s: float) -> Iterator[int]:
    yield threading.get_ident()


@pr.actor
class Where:
    def __call__(self, takes_s: float) -> int:
        return threading.get_ident()


@pr.node
def own_loop(takes_s: float) -> tuple[int, str, str | None]:
    """It runs a loop of its own, and says what kind of node it takes itself for."""
    return threading.get_ident(), asyncio.run(_hello()), inside_node()


async def _hello() -> str:
    return "hello"


@pr.node
def leaves(takes_s: float) -> int:
    raise SystemExit(threading.get_ident())


class Word:
    is_said = False


WORD = Word()


@pr.node
def waits(takes_s: float) -> tuple[int, bool]:
    end = time.monotonic() + SAFETY_S
    while not WORD.is_said and time.monotonic() < end:
        time.sleep(0.001)
    return threading.get_ident(), WORD.is_said


class Bench:
    """A replica as on Ray, or as in the local engine, given one message after the other."""

    def __init__(self, graph: Graph[Any, Any], *, inline: bool = False) -> None:
        plan = pr.Flow(graph).plan()
        self.said: list[Feedback] = []
        self.loop = asyncio.new_event_loop()
        self.home = Home(self.loop, self.loop.stop)
        self._news = asyncio.Event()
        self._sent = 0
        self.replica = Replica(
            plan.stages[0], plan.options, Nowhere(), epoch=7, clock=CLOCK, rng=random.Random(0),
            on_news=lambda: self._news.set(), inline=inline, home=self.home,
        )  # fmt: skip

    async def at_home(self) -> None:
        """The worker waits, and the loop runs where it is at home."""
        await asyncio.sleep(0)
        while threading.get_ident() != HOME:
            await asyncio.sleep(0)

    def send(self, *takes_s: float, facts: Facts | None = None) -> None:
        roots = [root_of(1, self._sent + number) for number in range(len(takes_s))]
        self._sent += len(takes_s)
        known = {} if facts is None else dict.fromkeys(roots, facts)
        messages = Messages(roots, [child_id(root, 0) for root in roots], list(takes_s), known)
        self.replica.receive(Frame(LinkId(0, 0), 7, self._sent, Kind.DATA, messages), self.said.append)

    async def told(self) -> Report:
        await self._news.wait()
        self._news.clear()
        return self.replica.outbox.take_report()

    async def result(self, takes_s: float = 0.0) -> Any:
        """What comes of a message, when nothing else is under way."""
        await self.at_home()
        self.send(takes_s)
        while not (results := (await self.told()).results):  # the end of a generator may be told by itself
            pass
        return results[0]

    def run(self, work: Callable[[Bench], Any]) -> Any:
        """Have the loop run in this thread until a test's work is done."""

        async def main() -> Any:
            await self.replica.open()
            working = asyncio.create_task(self.replica.run())
            found = await work(self)
            self.replica.finish()
            await working
            await self.replica.close()
            await self.at_home()
            return found

        task = self.loop.create_task(main())
        task.add_done_callback(lambda _: self.loop.stop())
        self.home.run()
        self.loop.close()
        return task.result()


async def at_once(bench: Bench, takes_s: float = 0.0) -> tuple[Any, bool]:
    """What comes of a message, and whether that was there as soon as the message was."""
    await bench.at_home()
    bench.send(takes_s)
    was_at_once = bool(bench.replica.outbox.has_news)
    while not (results := (await bench.told()).results):  # the end of a generator may be told by itself
        pass
    return results[0], was_at_once


async def many_at_once(bench: Bench) -> list[tuple[Any, bool]]:
    return [await at_once(bench) for _ in range(ENOUGH)]


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("node", [where, where_with_context, Where(), where.options(num_gpus=0.1)])
def test_a_lone_message_is_worked_on_at_once_when_enough_were_short_and_always_in_one_thread(
    node: Graph[Any, Any], inline: bool
) -> None:
    found = Bench(node, inline=inline).run(many_at_once)
    assert {thread for thread, _ in found} == {threading.get_ident()}
    assert [was_at_once for _, was_at_once in found] == [False] * 16 + [True] * (ENOUGH - 16)


def test_a_generator_runs_in_that_thread_too_and_its_outputs_leave_by_another_one() -> None:
    found = Bench(where_and_more).run(many_at_once)
    assert {thread for thread, _ in found} == {threading.get_ident()}


def test_a_long_call_has_the_next_ones_leave_the_loop_alone_again() -> None:
    async def work(bench: Bench) -> list[tuple[Any, bool]]:
        assert (await many_at_once(bench))[-1][1]
        assert (await at_once(bench, 1.0))[1]
        return await many_at_once(bench)

    found = Bench(where).run(work)
    assert found[-1] == (threading.get_ident(), False)


def test_a_call_that_is_not_short_leaves_the_loop_to_another_thread() -> None:
    async def work(bench: Bench) -> tuple[int, bool, int]:
        result = asyncio.ensure_future(bench.result())
        await asyncio.sleep(0.01)
        there = threading.get_ident()
        WORD.is_said = True
        return *(await result), there

    home, was_heard, there = Bench(waits).run(work)
    assert (home, was_heard) == (threading.get_ident(), True)
    assert there != home


def test_a_frame_that_takes_long_together_leaves_the_loop_alone() -> None:
    async def work(bench: Bench) -> list[bool]:
        for _ in range(ENOUGH):
            await bench.result(LIGHT_S / 4)
        seen = []
        for count in (3, 6):
            await bench.at_home()
            bench.send(*[LIGHT_S / 4] * count)
            seen.append(bench.replica.outbox.has_news)
            await bench.told()
        return seen

    assert Bench(where).run(work) == [True, False]


class Third:
    """Sets a precision once, in the context where it is built, and fails on one message the first time."""

    def __init__(self) -> None:
        decimal.getcontext().prec = 6
        self.has_failed = False

    def __call__(self, takes_s: float) -> str:
        if takes_s and not self.has_failed:
            self.has_failed = True
            raise OSError
        return str(decimal.Decimal(1) / 3)


@pytest.mark.parametrize("inline", [False, True])
def test_context_variables_are_the_same_in_the_constructor_and_in_all_calls(inline: bool) -> None:
    async def work(bench: Bench) -> list[tuple[str, bool]]:
        return [*await many_at_once(bench), await at_once(bench, 1.0)]

    retry = pr.Retry(max_attempts=2, initial_s=0.0)
    found = Bench(pr.actor(retry=retry)(Third)(), inline=inline).run(work)
    assert {result for result, _ in found} == {"0.333333"}
    assert found[-2][1]


def test_two_calls_in_turns_that_follow_each_other_leave_the_loop_with_somebody() -> None:
    loop = asyncio.new_event_loop()
    home, made = Home(loop, loop.stop), list[int]()

    async def main() -> None:
        for number in range(300):
            home.call(lambda number=number: made.append(number))  # type: ignore[misc]
            await asyncio.sleep(0)
            home.call(lambda number=number: made.append(number))  # type: ignore[misc]
            await asyncio.sleep(0.0005)
        while not home.is_here:
            await asyncio.sleep(0)
        loop.stop()

    task = loop.create_task(main())
    home.run()
    loop.close()
    assert task.done()
    assert made == [number for number in range(300) for _ in range(2)]


def test_code_may_run_a_loop_of_its_own_and_knows_that_it_is_a_nodes() -> None:
    async def work(bench: Bench) -> list[tuple[int, str, str | None]]:
        return [await bench.result() for _ in range(ENOUGH)]

    found = Bench(own_loop).run(work)
    assert found[-1] == (threading.get_ident(), "hello", "sync")
    assert {(said, kind) for _, said, kind in found} == {("hello", "sync")}


def test_what_it_raises_is_the_failure_of_its_message() -> None:
    async def work(bench: Bench) -> list[str]:
        said = list[str]()
        for _ in range(ENOUGH):
            await bench.at_home()
            bench.send(0.0)
            (failure,) = (await bench.told()).failures
            said.append(str(failure.error))
        return said

    assert str(threading.get_ident()) in Bench(leaves).run(work)[-1]


@pr.node
def interrupted(takes_s: float) -> int:
    if takes_s:
        raise KeyboardInterrupt
    return threading.get_ident()


async def one_interrupted(bench: Bench) -> None:
    assert (await many_at_once(bench))[-1][1]
    await bench.at_home()
    bench.send(1.0)


def test_ctrl_c_in_it_ends_the_replica_as_it_does_elsewhere() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        Bench(interrupted).run(one_interrupted)
    assert "KeyboardInterrupt" in str(caught.value.exceptions[0])


def test_ctrl_c_in_it_is_raised_once_where_code_runs_in_the_callers_thread() -> None:
    run = pr.Flow(interrupted).start(engine="local")
    for _ in range(ENOUGH):
        run.ask(0.0)
    with pytest.raises(KeyboardInterrupt):
        run.ask(1.0)
    with pytest.raises(pr.ReplicaLost, match="KeyboardInterrupt"):
        run.ask(0.0)
    run.stop()
    assert run.status().state != "running"


def test_its_frame_is_taken_before_it_is_worked_on_and_counts_like_others() -> None:
    bench = Bench(where)
    bench.run(many_at_once)
    assert [feedback.sequence for feedback in bench.said] == list(range(1, ENOUGH + 1))
    assert bench.replica._counts["where"].given == ENOUGH


def test_a_message_whose_deadline_has_passed_is_not_begun_at_once_either() -> None:
    async def work(bench: Bench) -> Report:
        await many_at_once(bench)
        await bench.at_home()
        bench.send(0.0, facts=Facts(deadline=CLOCK.now() - 1.0))
        return await bench.told()

    report = Bench(where).run(work)
    assert (report.results, [failure.is_late for failure in report.failures]) == ([], [True])


def test_no_more_lone_messages_wait_for_another_attempt_than_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penguiray.runtime.column_worker.PARKED_LIMIT", 5)

    @pr.node(retry=pr.Retry(max_attempts=2, initial_s=1_000.0, max_s=1_000.0, budget_reserve=1_000))
    def fails(takes_s: float) -> int:
        if takes_s:
            raise OSError
        return threading.get_ident()

    async def work(bench: Bench) -> int:
        await many_at_once(bench)
        for _ in range(20):
            await bench.at_home()
            bench.send(1.0)
        waiting = len(list(bench.replica._built.worker.held()))
        bench.replica.note_cancelled([], [1])
        bench.replica.drop_cancelled()
        return waiting

    assert 5 <= Bench(fails).run(work) <= 6
