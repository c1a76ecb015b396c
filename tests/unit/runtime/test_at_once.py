"""Which messages are worked on in the thread of the replica's loop, and what that thread is like for their code."""

from __future__ import annotations

import asyncio
import random
import threading
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
from penguiray.runtime.light import LIGHT_S
from penguiray.runtime.replica import Replica

ENOUGH = 40
"""More messages than have to be seen before any is worked on at once."""


class HandClock(SystemClock):
    """Stands still while nobody moves it: how long a call takes is what it says."""

    time = 0.0

    def now(self) -> float:
        return self.time


CLOCK = HandClock()


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


class Bench:
    """A replica as on Ray, given one message after the other."""

    def __init__(self, graph: Graph[Any, Any], *, inline: bool = False) -> None:
        plan = pr.Flow(graph).plan()
        self.said: list[Feedback] = []
        self._news = asyncio.Event()
        self._sent = 0
        self.replica = Replica(
            plan.stages[0], plan.options, Nowhere(), epoch=7, clock=CLOCK, rng=random.Random(0),
            on_news=lambda: self._news.set(), inline=inline,
        )  # fmt: skip

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
        await asyncio.sleep(0)
        self.send(takes_s)
        while not (results := (await self.told()).results):  # the end of a generator may be told by itself
            pass
        return results[0]

    def run(self, work: Callable[[Bench], Any]) -> Any:
        async def main() -> Any:
            await self.replica.open()
            working = asyncio.create_task(self.replica.run())
            found = await work(self)
            self.replica.finish()
            await working
            await self.replica.close()
            return found

        return asyncio.run(main())


async def threads_of(bench: Bench) -> list[int]:
    return [await bench.result() for _ in range(ENOUGH)]


def test_a_lone_message_is_worked_on_at_once_when_enough_were_short() -> None:
    threads = Bench(where).run(threads_of)
    here = threading.get_ident()
    assert here not in threads[:16]
    assert threads[-16:] == [here] * 16


@pytest.mark.parametrize("node", [where_with_context, where_and_more, Where(), where.options(num_gpus=0.1)])
def test_nodes_that_may_depend_on_their_thread_keep_it(node: Graph[Any, Any]) -> None:
    assert threading.get_ident() not in Bench(node).run(threads_of)


def test_a_long_call_has_the_next_ones_run_in_a_thread_again() -> None:
    async def work(bench: Bench) -> list[int]:
        assert (await threads_of(bench))[-1] == threading.get_ident()
        await bench.result(1.0)
        return await threads_of(bench)

    assert threading.get_ident() not in Bench(where).run(work)


def test_a_frame_that_takes_long_together_goes_to_a_thread() -> None:
    async def work(bench: Bench) -> Report:
        for _ in range(ENOUGH):
            await bench.result(LIGHT_S / 4)
        bench.send(*[LIGHT_S / 4] * 3)
        assert set((await bench.told()).results) == {threading.get_ident()}
        await asyncio.sleep(0)
        bench.send(*[LIGHT_S / 4] * 6)
        return await bench.told()

    assert threading.get_ident() not in Bench(where).run(work).results


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
            await asyncio.sleep(0)
            bench.send(0.0)
            (failure,) = (await bench.told()).failures
            said.append(str(failure.error))
        return said

    assert str(threading.get_ident()) in Bench(leaves).run(work)[-1]


def test_ctrl_c_in_it_ends_the_replica_as_it_does_in_a_thread() -> None:
    @pr.node
    def interrupted(takes_s: float) -> int:
        if takes_s:
            raise KeyboardInterrupt
        return threading.get_ident()

    async def work(bench: Bench) -> None:
        assert (await threads_of(bench))[-1] == threading.get_ident()
        await asyncio.sleep(0)
        bench.send(1.0)

    with pytest.raises(ExceptionGroup) as caught:
        Bench(interrupted).run(work)
    assert "KeyboardInterrupt" in str(caught.value.exceptions[0])


def test_its_frame_is_taken_before_it_is_worked_on_and_counts_like_others() -> None:
    bench = Bench(where)
    bench.run(threads_of)
    assert [feedback.sequence for feedback in bench.said] == list(range(1, ENOUGH + 1))
    assert bench.replica._counts["where"].given == ENOUGH


def test_a_message_whose_deadline_has_passed_is_not_begun_at_once_either() -> None:
    async def work(bench: Bench) -> Report:
        await threads_of(bench)
        await asyncio.sleep(0)
        bench.send(0.0, facts=Facts(deadline=CLOCK.now() - 1.0))
        return await bench.told()

    report = Bench(where).run(work)
    assert (report.results, [failure.is_late for failure in report.failures]) == ([], [True])
