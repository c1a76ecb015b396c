"""Two calls of one message: which of them counts, and what becomes of the other."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import penguiray as pr
from penguiray.link.report import NodeCount
from penguiray.runtime.bound import BoundNode, Item
from penguiray.runtime.cancelled import Cancelled
from penguiray.runtime.executor import InlineExecutor
from penguiray.runtime.inbox import Inbox
from penguiray.runtime.layers import GaveUp
from penguiray.runtime.slots import AutoSlots, Slots
from penguiray.runtime.stack import build_stack
from penguiray.runtime.tally import Outcome
from penguiray.testing import VirtualClock

Step = tuple[float, Any]
"""How long a call takes, and what it gives or raises; "first" once an event has happened."""
USUAL = 40
"""Calls of a second each, after which one of 1.5 s is a straggler."""
NEVER = (1e6, "never")


@pr.node
async def target(x: int) -> int:
    return x


class Told(AutoSlots):
    """Notes what the limit is told."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(32, NodeCount(), clock)
        self.outcomes = list[Outcome | None]()

    def end(self, round_trip_s: float, begun_with: int, outcome: Outcome | None) -> None:
        self.outcomes.append(outcome)
        super().end(round_trip_s, begun_with, outcome)


class Bench:
    """A hedged node under its whole stack, in virtual time; 40 usual calls have been made."""

    def __init__(self, clock: VirtualClock, *steps: Step, slots: Slots | None = None, **options: Any) -> None:
        self.clock = clock
        self.slots = Slots(4) if slots is None else slots
        self.node = BoundNode(
            target.options(idempotent=True, **options).spec,
            destinations={}, cancelled=Cancelled(), epoch=1, clock=clock,
        )  # fmt: skip
        self.steps = list(steps)
        self.begun = list[float]()
        self.attempts = list[int]()
        self.cancelled = list[float]()
        self._zero = 0.0
        self._is_usual = True
        self.call = build_stack(
            self.node, self._call, self.slots, Inbox(), InlineExecutor(), clock, random.Random(1), Cancelled()
        )

    async def usual(self) -> Bench:
        for number in range(USUAL):
            assert await self.call(Item(number, number, 0), 1) == "usual"
        self._is_usual, self._zero = False, self.clock.now()
        return self

    @property
    def passed(self) -> float:
        return round(self.clock.now() - self._zero, 3)

    async def _call(self, _item: Item, attempt: int) -> Any:
        if self._is_usual:
            await asyncio.sleep(1.0)
            return "usual"
        self.begun.append(self.passed)
        self.attempts.append(attempt)
        seconds, gives = self.steps.pop(0)
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cancelled.append(self.passed)
            if gives == "an error of its own":
                raise ConnectionError from None
            raise
        if isinstance(gives, BaseException):
            raise gives
        if isinstance(gives, asyncio.Event):
            await gives.wait()
            return "first"
        return gives

    async def one(self, deadline_s: float | None = None) -> Any:
        """Make the call, and look that nothing of it is left."""
        deadline = None if deadline_s is None else self.clock.now() + deadline_s
        try:
            return await self.call(Item(1_000, 1_000, 0, deadline=deadline), 1)
        finally:
            assert self.slots.taken == 0
            assert self.node.running.look() == []


def run(clock: VirtualClock, test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await test()

    clock.run(main())


def test_a_second_call_that_is_quicker_counts_and_the_first_is_cancelled(virtual_clock: VirtualClock) -> None:
    async def test() -> None:
        bench = await Bench(virtual_clock, (20, "first"), (1, "second")).usual()
        assert await bench.one() == "second"
        assert (bench.begun, bench.cancelled, bench.passed) == ([0, 1.5], [2.5], 2.5)
        assert (bench.attempts, bench.node.count.hedged, bench.node.count.retried) == ([1, 1], 1, 0)

    run(virtual_clock, test)


def test_a_first_call_that_is_quicker_counts_and_the_second_is_cancelled(virtual_clock: VirtualClock) -> None:
    async def test() -> None:
        bench = await Bench(virtual_clock, (2, "first"), (20, "second")).usual()
        assert await bench.one() == "first"
        assert (bench.cancelled, bench.passed) == ([2], 2)
        bench.steps = [(1.499, "in time")]
        assert await bench.one() == "in time"
        assert bench.node.count.hedged == 1

    run(virtual_clock, test)


def test_a_message_of_two_calls_is_told_as_one_that_is_as_old_as_its_first(virtual_clock: VirtualClock) -> None:
    async def test() -> None:
        bench = await Bench(virtual_clock, (20, ValueError()), (30, "second")).usual()
        working = asyncio.create_task(bench.one())
        for age in (5.0, 25.0):  # both of them, the second alone
            await asyncio.sleep(age - bench.passed)
            assert [(call.message_id, call.age_s) for call in bench.node.running.look()] == [(1_000, age)]
        assert await working == "second"

    run(virtual_clock, test)


@pytest.mark.parametrize(
    ("steps", "outcome", "ends"),
    [
        ([(3, ValueError("first")), (20, "second")], "second", 21.5),
        ([(20, "first"), (1, ValueError("second"))], "first", 20),
        ([(3, ValueError("first")), (20, KeyError("second"))], "first failed", 21.5),
        ([(20, ValueError("first")), (1, KeyError("second"))], "first failed", 20),
        ([(20, ValueError("first")), (1, SystemExit())], "first failed", 20),
        ([(1, ValueError("first"))], "first failed", 1),
    ],
)
def test_one_that_fails_leaves_it_to_the_other_and_if_both_fail_the_firsts_error_is_told(
    virtual_clock: VirtualClock, steps: list[Step], outcome: str, ends: float
) -> None:
    async def test() -> None:
        bench = await Bench(virtual_clock, *steps).usual()
        if outcome == "first failed":
            with pytest.raises(ValueError, match="first"):
                await bench.one()
        else:
            assert await bench.one() == outcome
        assert (bench.cancelled, bench.passed) == ([], ends)

    run(virtual_clock, test)


def test_without_a_free_slot_there_is_no_second_call_until_one_is_free(virtual_clock: VirtualClock) -> None:
    async def test() -> None:
        slots = Slots(2)
        bench = await Bench(virtual_clock, (20, "first"), (1, "second"), slots=slots).usual()
        await slots.take()
        asyncio.get_running_loop().call_later(4.0, slots.give_back)
        assert await bench.one() == "second"
        assert bench.begun == [0, 4.5]  # looked at after 1.5, 3 and 4.5 s

    run(virtual_clock, test)


def test_the_second_call_holds_a_slot_also_if_it_is_cancelled_before_its_first_step(
    virtual_clock: VirtualClock,
) -> None:
    async def test() -> None:
        ends, held = asyncio.Event(), list[int]()

        class Noted(Slots):
            def take_nowait(self) -> bool:
                ends.set()  # the first call goes on before the task that is made now
                taken = super().take_nowait()
                held.append(self.taken)
                return taken

        slots = Noted(4)
        bench = await Bench(virtual_clock, (0, ends), NEVER, slots=slots).usual()
        assert await bench.one() == "first"
        assert (held, bench.begun, slots.taken) == ([2], [0], 0)

    run(virtual_clock, test)


@pytest.mark.parametrize(
    ("first", "error"), [(NEVER, pr.DeadlineExceeded), ((3, ValueError("first")), ValueError)], ids=["slow", "fails"]
)
def test_an_attempt_has_no_more_time_for_having_two_calls(
    virtual_clock: VirtualClock, first: Step, error: type[Exception]
) -> None:
    async def test() -> None:
        bench = await Bench(virtual_clock, first, NEVER, timeout_s=10).usual()
        with pytest.raises(error):
            await bench.one()
        assert (len(bench.begun), bench.passed) == (2, 10)

    run(virtual_clock, test)


def test_the_callers_deadline_ends_both(virtual_clock: VirtualClock) -> None:
    async def test() -> None:
        bench = await Bench(virtual_clock, NEVER, NEVER).usual()
        with pytest.raises(pr.DeadlineExceeded, match="deadline passed in the call"):
            await bench.one(deadline_s=7.0)
        assert (bench.cancelled, bench.passed) == ([7, 7], 7)

    run(virtual_clock, test)


def test_who_gives_up_the_message_ends_both(virtual_clock: VirtualClock) -> None:
    async def test() -> None:
        bench = await Bench(virtual_clock, NEVER, NEVER).usual()
        working = asyncio.create_task(bench.one())
        await asyncio.sleep(5)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        assert bench.cancelled == [5, 5]

    run(virtual_clock, test)


def test_two_calls_are_one_attempt_with_one_outcome(virtual_clock: VirtualClock) -> None:
    async def test() -> None:
        retry = pr.Retry(max_attempts=2, initial_s=0)
        both_fail = [(3, ValueError(1)), (1, ValueError(2))]
        bench = await Bench(virtual_clock, *both_fail, (20, "first"), (1, "second"), retry=retry).usual()
        assert await bench.one() == "second"
        assert (bench.attempts, bench.node.count.retried, bench.node.count.hedged) == ([1, 1, 2, 2], 1, 2)
        bench = await Bench(virtual_clock, *both_fail, *both_fail, retry=retry).usual()
        with pytest.raises(GaveUp) as caught:
            await bench.one()
        assert (caught.value.attempt, caught.value.error.args) == (2, (1,))

    run(virtual_clock, test)


@pytest.mark.parametrize(
    ("steps", "options", "told"),
    [
        ([(20, "first"), (1, "second")], {}, ["done", None]),
        ([(2, "first"), (20, "second")], {}, ["done", None]),
        ([(20, "an error of its own"), (1, "second")], {}, ["done", None]),
        ([(2, "first"), (20, "an error of its own")], {}, ["done", None]),
        ([(3, ValueError()), (1, "second")], {}, ["done", None]),
        ([NEVER, NEVER], {"timeout_s": 10}, ["late", None]),
    ],
)
def test_a_call_that_is_cancelled_for_the_other_says_nothing_about_the_service(
    virtual_clock: VirtualClock, steps: list[Step], options: dict[str, Any], told: list[Outcome | None]
) -> None:
    async def test() -> None:
        slots = Told(virtual_clock)
        bench = await Bench(virtual_clock, *steps, slots=slots, concurrency="auto", **options).usual()
        slots.outcomes.clear()
        await asyncio.gather(bench.one(), return_exceptions=True)
        assert sorted(slots.outcomes, key=str) == sorted(told, key=str)
        assert slots._under_way == 0

    run(virtual_clock, test)


def test_a_call_that_does_not_mind_being_cancelled_counts_if_it_gives_something(virtual_clock: VirtualClock) -> None:
    class Stubborn:
        def __init__(self) -> None:
            self.calls = 0

        async def __call__(self, x: int) -> str:
            if x:
                self.calls += 1
                first = self.calls == 1
                try:
                    await asyncio.sleep(20 if first else 1)
                except asyncio.CancelledError:
                    return "all the same"
                return "second"
            await asyncio.sleep(1)
            return "usual"

    with pr.Flow(pr.actor(idempotent=True)(Stubborn)()).start() as run:
        run.collect([0] * USUAL)
        assert run.ask(1) in {"all the same", "second"}
        (count,) = run.status().nodes
    assert (count.given, count.hedged) == (USUAL + 1, 1)


def test_a_second_call_waits_for_a_permit_of_its_own(virtual_clock: VirtualClock) -> None:
    calls = list[float]()

    async def limited(x: int) -> int:
        calls.append(virtual_clock.now())
        await asyncio.sleep(20 if x else 1)
        return x

    rate = pr.Rate(USUAL + 1, per_s=3_600)
    with pr.Flow(pr.node(idempotent=True, rate=rate)(limited)).start() as run:
        run.collect([0] * USUAL)
        assert run.ask(1) == 1
        (count,) = run.status().nodes
    assert (len(calls), count.hedged) == (USUAL + 1, 0)


def test_what_the_other_call_has_emitted_is_dropped(virtual_clock: VirtualClock) -> None:
    class Emits:
        def __init__(self) -> None:
            self.calls = 0

        async def __call__(self, x: int, ctx: pr.Context) -> str:
            if x:
                self.calls += 1
                name = f"call {self.calls} of attempt {ctx.attempt}"
                ctx.emit(f"emitted by {name}")
                await asyncio.sleep(20 if self.calls == 1 else 1)
                return name
            await asyncio.sleep(1)
            return "usual"

    with pr.Flow(pr.actor(idempotent=True)(Emits)()).start() as run:
        run.collect([0] * USUAL)
        assert run.ask_all(1) == ["emitted by call 2 of attempt 1", "call 2 of attempt 1"]
