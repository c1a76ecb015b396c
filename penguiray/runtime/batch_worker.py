"""Runs a batch node: messages are gathered, and a task works on each batch, as many as there are slots."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any

from penguiray.clock import Clock
from penguiray.errors import DeadlineExceeded
from penguiray.link.frame import Kind
from penguiray.link.message import Messages
from penguiray.runtime.auto_batch import AutoBatch
from penguiray.runtime.batcher import Batcher
from penguiray.runtime.bound import BoundNode, Item
from penguiray.runtime.columns import entries_of, to_columns
from penguiray.runtime.executor import StuckError
from penguiray.runtime.inbox import Control
from penguiray.runtime.layers import Call, GaveUp
from penguiray.runtime.slots import Slots
from penguiray.runtime.stack import build_stack
from penguiray.runtime.work import PARKED_LIMIT, Bench, gave_up_on, item_of, outputs_of

__all__ = ["BatchWorker"]


class BatchWorker:
    """Worker for one batch node, sync or async.

    What fails, fails for every message of the batch; a node that may be called again is called with its halves first.
    Where sizes are found and memory ran out, that is so at once: the same call would run out of it again. A node
    without a retry is not called again even then: what it had done by then, it would do twice.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._node: BoundNode = bench.nodes[0]
        options = self._node.spec.options
        self._auto: AutoBatch | None = None
        if options.batch == "auto":
            self._auto = AutoBatch(is_busy=lambda: self._is_busy, timeout_s=options.timeout_or_none)
            self._batcher = Batcher(self._auto, self._auto.call_time)
        else:
            self._batcher = Batcher(options.batch)
        self._slots = Slots(bench.stage.concurrency)
        self._under_way: dict[asyncio.Task[None], Messages] = {}
        self._per_message_s = 0.0
        call = self._call() if self._auto is None else _with_size(self._call(), self._auto, bench.clock)
        self._stack, self._once = (
            build_stack(
                self._node,
                call,
                self._slots,
                bench.inbox,
                bench.executor,
                bench.clock,
                bench.rng,
                None,
                retries=retries,
            )
            for retries in (True, False)
        )

    async def run(self) -> None:
        """Work until the inbox is closed and empty and every batch is finished."""
        async with asyncio.TaskGroup() as group:
            is_open = True
            while is_open or len(self._batcher):
                is_open = await self._gather(is_open=is_open)
                await self._bench.outbox.room()
                await self._slots.one_free()
                while self._parked >= PARKED_LIMIT:
                    await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
                if self._shed():
                    continue  # others may take their places
                if len(self._batcher):
                    batch = self._batcher.cut(self._bench.clock.now())
                    task = group.create_task(self._work_on(batch))
                    self._under_way[task] = batch
                    task.add_done_callback(self._under_way.__delitem__)
                    await asyncio.sleep(0)

    def cancel(self) -> None:
        """Members that were given up are left out when their batch begins; one that runs has other members too."""

    def held(self) -> Iterator[int]:
        """Ids of the messages that are gathered, and of those in batches that are worked on."""
        yield from self._batcher.ids
        for batch in self._under_way.values():
            yield from batch.ids

    @property
    def has_more(self) -> bool:
        """Whether messages wait or batches are under way."""
        return self._is_busy or bool(len(self._batcher)) or not self._bench.inbox.is_empty

    @property
    def _parked(self) -> int:
        """Messages under way if some of their batches wait for another attempt, else 0."""
        return sum(map(len, self._under_way.values())) if len(self._under_way) > self._bench.stage.concurrency else 0

    @property
    def _is_busy(self) -> bool:
        """Whether a call is under way."""
        return self._slots.free < self._bench.stage.concurrency

    @property
    def service_s(self) -> float:
        """Mean time for one message, in seconds."""
        return self._per_message_s

    def wait_s(self, ahead: int) -> float:
        """See `Worker`: none while a slot is free; what is gathered and what is called with comes before."""
        if self._slots.free > 0:
            return 0.0
        return (ahead + len(self._batcher) + sum(map(len, self._under_way.values()))) * self._per_message_s

    async def _gather(self, *, is_open: bool) -> bool:
        """Take messages until a batch is due; returns whether more may come."""
        while is_open:
            try:
                taken = await self._next()
            except TimeoutError:
                return True
            if taken is None:
                return False
            if isinstance(taken, Control):
                self._note(taken)
            else:
                self._batcher.add(taken, self._bench.clock.now())
        return False

    async def _next(self) -> Messages | Control | None:
        """What comes before a batch is due; None if nothing more will come.

        Raises:
            TimeoutError: A batch is due.
        """
        inbox = self._bench.inbox
        while self._auto is not None and self._slots.free < 1:  # what comes while the node is busy goes along
            if not self._batcher.room:
                await self._slots.one_free()
                continue  # calls that have ended may have changed the size
            with contextlib.suppress(TimeoutError):
                async with self._slots.until_free():
                    return await inbox.take(self._batcher.room)
        wait_s = self._batcher.wait_s(self._bench.clock.now())
        if wait_s != 0.0:
            async with asyncio.timeout(wait_s):
                return await inbox.take(self._batcher.room)
        taken = inbox.take_nowait(self._batcher.room) if self._batcher.room else None
        if taken is None:
            raise TimeoutError
        return taken

    def _note(self, control: Control) -> None:
        if control.kind is Kind.END:
            self._batcher.end(control.call)
        elif control.kind is Kind.FORGET:
            self._batcher.forget(control.call)

    async def _work_on(self, batch: Messages) -> None:
        outbox, node = self._bench.outbox, self._node
        batch = batch.without(self._bench.cancelled) if self._bench.cancelled.has_any else batch
        items = self._without_late([item_of(batch, index) for index in range(len(batch))])
        if not items:
            outbox.flush()
            return
        node.count.taken += len(items)
        begun = self._bench.clock.now()
        await self._call_with(items, self._stack, 1)
        each = (self._bench.clock.now() - begun) / len(items) / self._bench.stage.concurrency
        self._per_message_s = each if self._per_message_s == 0.0 else 0.7 * self._per_message_s + 0.3 * each
        outbox.flush()

    async def _call_with(self, items: list[Item], stack: Call, attempt: int) -> None:
        """Call the node with some messages, and see to what comes of it."""
        whole = Item(items[0].root, items[0].message_id, [item.value for item in items], items[0].facts)
        try:
            entries = await stack(whole, attempt)
        except StuckError:
            self._bench.inbox.abandon()
            raise
        except asyncio.CancelledError:
            if self._bench.inbox.is_abandoned:
                raise
            self._fail(items, RuntimeError("the function cancelled its own task"))
        except Exception as error:  # noqa: BLE001 - the border to user code
            await self._narrow_down(items, error, attempt)
        else:
            for item, outputs in zip(items, entries, strict=True):
                self._bench.outbox.finish(item, outputs)
                self._node.count.given += len(outputs)

    async def _narrow_down(self, items: list[Item], error: Exception, attempt: int) -> None:
        """Find those that make a batch fail: call the node with its halves, where it may be called again at all.

        Each half costs a retry of the node's budget. Without one its messages fail as they are.
        """
        cause, attempt = (error.error, error.attempt) if isinstance(error, GaveUp) else (error, attempt)
        retry = self._node.spec.options.retry_or_none
        if retry is None or len(items) == 1 or not isinstance(cause, retry.on):
            self._fail(items, error)
            return
        middle = len(items) // 2
        for half in (items[:middle], items[middle:]):
            if self._node.budget is None or not self._node.budget.spend():
                self._fail(half, error)
                continue
            self._node.count.retried += 1
            in_time = self._without_late(half)
            if in_time:
                await self._call_with(in_time, self._once, attempt + 1)

    def _fail(self, items: list[Item], error: Exception) -> None:
        for item in items:
            gave_up_on(self._bench.outbox, item, self._node, error)

    def _without_late(self, items: list[Item]) -> list[Item]:
        """Members whose caller still waits; a batch as a whole has no deadline."""
        if all(item.deadline is None for item in items):
            return items
        refusals = [self._refusal(item.deadline, is_last=True) for item in items]
        for item, refusal in zip(items, refusals, strict=True):
            if refusal is not None:
                gave_up_on(self._bench.outbox, item, self._node, refusal)
        return [item for item, refusal in zip(items, refusals, strict=True) if refusal is None]

    def _shed(self) -> bool:
        """Give up on gathered messages that a call with all of them would keep too long; whether there were some."""
        is_last = self._bench.inbox.is_empty
        late = self._batcher.take_out(lambda deadline: self._refusal(deadline, is_last=is_last) is not None)
        if late is None:
            return False
        for item in (item_of(late, index) for index in range(len(late))):
            refusal = self._refusal(item.deadline, is_last=is_last)
            assert refusal is not None  # time does not go back
            gave_up_on(self._bench.outbox, item, self._node, refusal)
        self._bench.outbox.flush()
        return True

    def _refusal(self, deadline: float | None, *, is_last: bool) -> DeadlineExceeded | None:
        shedding = self._node.shedding
        takes_s = shedding.rest_s()
        if takes_s and self._auto is not None:  # what was noted are calls of all sizes
            takes_s += self._auto.call_time.seconds(1) - shedding.typical_s
        return shedding.refusal(deadline, self._bench.clock.now(), takes_s=takes_s, is_last=is_last)

    def _call(self) -> Call:
        node, executor = self._node, self._bench.executor
        columns = node.spec.signature.columns

        async def call(item: Item, attempt: int) -> list[list[Any]]:
            context = node.context(item, attempt)
            size, begun = len(item.value), time.perf_counter()
            whole = Item(item.root, item.message_id, to_columns(item.value, columns), item.facts, permit=item.permit)
            try:
                if node.spec.signature.is_async:
                    answer = await node.call(whole, context)
                else:
                    answer = await executor.call(node.call, whole, context)
            finally:
                node.count.busy_s += time.perf_counter() - begun
            entries = entries_of(answer, size, columns)
            entries[0][:0] = outputs_of(None, context)
            return entries

        return call


def _with_size(inner: Call, auto: AutoBatch, clock: Clock) -> Call:
    """Have each call say how its size did; one for which memory did not suffice is not made again as it is."""

    async def call(item: Item, attempt: int) -> Any:
        size, begun = len(item.value), clock.now()
        try:
            entries = await inner(item, attempt)
        except BaseException as error:
            is_too_large = auto.note_failed(size, clock.now() - begun, error)
            if is_too_large and isinstance(error, Exception):
                raise GaveUp(error, attempt) from error
            raise
        auto.note(size, clock.now() - begun)
        return entries

    return call
