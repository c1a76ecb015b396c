"""One layer for each policy about how a call is made. All have one shape: they take an inner call and give another."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from penguiray.clock import Clock
from penguiray.draw.amounts import in_seconds
from penguiray.errors import DeadlineExceeded
from penguiray.graph.policies import Retry
from penguiray.runtime.backoff import RetryBudget, pause_before
from penguiray.runtime.bound import BoundNode, Item
from penguiray.runtime.cancelled import Cancelled
from penguiray.runtime.executor import Executor, StuckError, as_error
from penguiray.runtime.hedge import Hedging
from penguiray.runtime.inbox import Inbox
from penguiray.runtime.permits import Permits
from penguiray.runtime.race import Race
from penguiray.runtime.slots import AutoSlots, Slots
from penguiray.runtime.tally import Outcome

__all__ = [
    "Call", "GaveUp", "with_cancelled", "with_deadline", "with_hedge", "with_limit", "with_note", "with_rate",
    "with_retry", "with_slot", "with_timeout",
]  # fmt: skip

Call = Callable[[Item, int], Awaitable[Any]]
"""One attempt at an item: the item and the attempt's number, from 1."""


class GaveUp(Exception):
    """The item is given up on after this many attempts; the last error is the cause."""

    def __init__(self, error: BaseException, attempt: int) -> None:
        super().__init__(error, attempt)
        self.error = error
        self.attempt = attempt


def with_deadline(inner: Call, node: BoundNode, inbox: Inbox, clock: Clock) -> Call:
    """Begin nothing whose caller has stopped waiting, or will have when the call has ended."""
    shedding = node.shedding

    async def call(item: Item, attempt: int) -> Any:
        if item.deadline is not None:
            takes_s, is_last = shedding.rest_s(), inbox.is_empty
            refusal = shedding.refusal(item.deadline, clock.now(), takes_s=takes_s, is_last=is_last)
            if refusal is not None:
                raise refusal
        return await inner(item, attempt)

    return call


def with_retry(inner: Call, node: BoundNode, policy: Retry, clock: Clock, rng: random.Random) -> Call:
    """Run a failed call again, after a pause, while attempts, budget and deadline allow."""
    budget = node.budget or RetryBudget(policy)

    async def call(item: Item, attempt: int) -> Any:
        if item.raised is None:
            budget.earn()
        while True:
            try:
                return await inner(item, attempt)
            except (StuckError, GaveUp):
                raise
            except policy.on as error:
                pause = pause_before(attempt + 1, policy, rng)
                if attempt >= policy.max_attempts or _too_late(item, pause, clock) or not budget.spend():
                    raise GaveUp(error, attempt) from error
            except Exception as error:
                raise GaveUp(error, attempt) from error
            attempt += 1
            node.count.retried += 1
            item.is_pausing = True
            try:
                await asyncio.sleep(pause)
            finally:
                item.is_pausing = False

    return call


def _too_late(item: Item, pause: float, clock: Clock) -> bool:
    return item.deadline is not None and clock.now() + pause >= item.deadline


def with_cancelled(inner: Call, cancelled: Cancelled) -> Call:
    """Begin nothing of an input that was given up."""

    async def call(item: Item, attempt: int) -> Any:
        if cancelled.has_any and item.root in cancelled:
            raise asyncio.CancelledError
        return await inner(item, attempt)

    return call


def with_slot(inner: Call, slots: Slots, executor: Executor) -> Call:
    """Hold one of the replica's slots, with a thread for it, during the attempt; a pause before another holds none."""

    async def call(item: Item, attempt: int) -> Any:
        await slots.take()
        try:
            await executor.ready()
            return await inner(item, attempt)
        except (Exception, asyncio.CancelledError):
            raise
        except BaseException as error:
            raise as_error(error) from error
        finally:
            slots.give_back()

    return call


def with_rate(inner: Call, permits: Permits) -> Call:
    """Begin no more calls than the node's rate allows; a message whose turn comes after its deadline is given up."""

    async def call(item: Item, attempt: int) -> Any:
        try:
            item.permit = permit = await permits.take(item.deadline)
        except DeadlineExceeded as error:
            raise GaveUp(error, attempt) from error
        try:
            return await inner(item, attempt)
        finally:
            permit.use()

    return call


def with_hedge(inner: Call, admitted: Callable[[Call], Call], node: BoundNode, slots: Slots, clock: Clock) -> Call:
    """Call a second time where the first call takes much longer than the node's calls do, see `Race`.

    Args:
        inner: Calls the function.
        admitted: Puts round the second call what each call has to pass before it begins, its slot apart.
        node: The node.
        slots: The replica's limit on calls at the same time.
        clock: Where time comes from.
    """
    hedging, timeout_s = Hedging(), node.spec.options.timeout_or_none

    async def second(item: Item, attempt: int) -> Any:
        node.count.hedged += 1
        return await inner(item, attempt)

    admitted_second = admitted(second)

    async def again(item: Item, attempt: int) -> Any:
        try:
            return await admitted_second(item, attempt)
        except (Exception, asyncio.CancelledError):
            raise
        except BaseException as error:
            raise as_error(error) from error

    async def call(item: Item, attempt: int) -> Any:
        race = Race(partial(again, item, attempt), hedging, slots, clock)
        return await race.run(inner(item, attempt), timeout_s)

    return call


def with_limit(inner: Call, slots: AutoSlots, clock: Clock) -> Call:
    """Tell the slots how long each attempt takes and how it ends, so that their number can follow."""

    async def call(item: Item, attempt: int) -> Any:
        begun, begun_with = clock.now(), slots.begin()
        outcome: Outcome | None = None
        try:
            result = await inner(item, attempt)
        except Exception as error:
            outcome = None if _is_cancelled() else _outcome_of(error)
            raise
        else:
            outcome = "done"
            return result
        finally:
            slots.end(clock.now() - begun, begun_with, outcome)

    return call


def _is_cancelled() -> bool:
    """Whether this call is being cancelled: an error is then the function's way to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _outcome_of(error: Exception) -> Outcome | None:
    """What an error says about what was called: nothing, if only the caller's time was over."""
    if isinstance(error, DeadlineExceeded) and error.timeout_s is None:
        return None
    return "late" if isinstance(error, TimeoutError) else "failed"


def with_note(inner: Call, node: BoundNode, clock: Clock) -> Call:
    """Note that the message is worked on, for who asks what a replica is at; and what it took, where time is short."""
    running, shedding = node.running, node.shedding

    async def call(item: Item, attempt: int) -> Any:
        is_timed = item.facts is not None and item.facts.deadline is not None
        begun = clock.now() if is_timed else 0.0
        running.begin(item)
        try:
            return await inner(item, attempt)
        finally:
            running.end(item)
            if is_timed:
                shedding.note(clock.now() - begun)

    return call


def with_timeout(inner: Call, node: str, timeout_s: float | None, clock: Clock) -> Call:
    """End an attempt after min(`timeout_s`, what remains until the deadline)."""

    async def call(item: Item, attempt: int) -> Any:
        limit, own_s = timeout_s, timeout_s
        if item.deadline is not None:
            remaining = max(0.0, item.deadline - clock.now())
            if limit is None or remaining < limit:
                limit, own_s = remaining, None
        if limit is None:
            return await inner(item, attempt)
        if limit <= 0.0:
            raise DeadlineExceeded(f"node {node!r}: the message's deadline passed while it waited", node=node)
        scope = asyncio.timeout(limit)
        try:
            async with scope:
                return await inner(item, attempt)
        except TimeoutError as error:
            if not scope.expired():
                raise
            if own_s is None:
                raise DeadlineExceeded(
                    f"node {node!r}: the message's deadline passed in the call", node=node
                ) from error
            raise DeadlineExceeded(
                f"node {node!r}: the call took longer than {in_seconds(own_s)}", node=node, timeout_s=own_s
            ) from error

    return call
