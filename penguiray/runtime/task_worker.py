"""Runs stages whose calls overlap or have a time limit: a task for each message, as many as there are slots."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

from penguiray.graph.context import Context
from penguiray.runtime.bound import BoundNode, Item
from penguiray.runtime.executor import StuckError
from penguiray.runtime.inbox import Control
from penguiray.runtime.layers import Call
from penguiray.runtime.slots import AutoSlots, Slots
from penguiray.runtime.stack import build_stack
from penguiray.runtime.streaming import stream_outputs
from penguiray.runtime.work import PARKED_LIMIT, Bench, execute, gave_up_on, item_of, outputs_of

__all__ = ["TaskWorker"]


class TaskWorker:
    """Worker for async nodes, and for sync nodes with several threads or a time limit."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._slots = _slots_of(bench)
        self._tasks: dict[asyncio.Task[None], Item] = {}
        self._call_s = 0.0
        self._flushing = False
        self._stacks = [
            build_stack(
                node,
                self._call_of(node),
                self._slots,
                bench.inbox,
                bench.executor,
                bench.clock,
                bench.rng,
                bench.cancelled,
            )
            for node in bench.nodes
        ]

    async def run(self) -> None:
        """Work until the inbox is closed and empty and every message is finished."""
        bench = self._bench
        async with asyncio.TaskGroup() as group:
            while True:
                await self._may_take()
                taken = await bench.inbox.take(self._slots.free)
                if taken is None:
                    return
                if isinstance(taken, Control):
                    continue
                for index in range(len(taken)):
                    item = item_of(taken, index)
                    task = group.create_task(self._work_on(item))
                    self._tasks[task] = item
                    task.add_done_callback(self._tasks.__delitem__)
                await asyncio.sleep(0)

    def cancel(self) -> None:
        """End what is under way of inputs that were given up: async calls, and pauses before another attempt."""
        is_async = self._bench.nodes[0].spec.signature.is_async
        for task, item in self._tasks.items():
            if item.root in self._bench.cancelled and (is_async or item.is_pausing):
                task.cancel()

    def held(self) -> Iterator[int]:
        """Ids of the messages that are worked on, or wait for another attempt."""
        return (item.message_id for item in self._tasks.values())

    @property
    def has_more(self) -> bool:
        """Whether messages wait or calls are under way."""
        return self._slots.taken > 0 or not self._bench.inbox.is_empty

    @property
    def service_s(self) -> float:
        """Mean time for one message with all slots in use, in seconds."""
        return self._call_s / self._slots.size

    def wait_s(self, ahead: int) -> float:
        """See `Worker`: none while a slot is free."""
        return max(0, ahead + self._slots.taken - self._slots.size + 1) * self.service_s

    async def _may_take(self) -> None:
        """Wait for a free slot, for room in the outbox, and for parked messages to become fewer."""
        await self._bench.outbox.room()
        while self._slots.free < 1 or len(self._tasks) >= self._slots.size + PARKED_LIMIT:
            await self._slots.changed()

    async def _work_on(self, item: Item) -> None:
        """Take one message through the stage's nodes; whatever a node raises ends this message only."""
        outbox, outputs = self._bench.outbox, [item.value]
        node = self._bench.nodes[0]
        begun = self._bench.clock.now()
        try:
            for node, stack in zip(self._bench.nodes, self._stacks, strict=True):
                item.value = outputs[0]
                node.count.taken += 1
                outputs = await stack(item, 1)
                node.count.given += len(outputs)
                if not outputs:
                    break
        except StuckError:
            self._bench.inbox.abandon()
            raise
        except asyncio.CancelledError:
            if self._bench.inbox.is_abandoned:
                raise
            if item.root not in self._bench.cancelled:
                gave_up_on(outbox, item, node, RuntimeError("the function cancelled its own task"))
        except Exception as error:  # noqa: BLE001 - the border to user code
            gave_up_on(outbox, item, node, error)
        else:
            if self._bench.nodes[-1].spec.signature.is_stream:
                outbox.finish_stream(item, item.sent)
            else:
                outbox.finish(item, outputs)
        took = self._bench.clock.now() - begun
        self._call_s = took if self._call_s == 0.0 else 0.9 * self._call_s + 0.1 * took
        self._flush_soon()

    def _flush_soon(self) -> None:
        """Flush once for all messages that end in the same turn of the loop."""
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        self._bench.outbox.flush()

    def _call_of(self, node: BoundNode) -> Call:
        signature = node.spec.signature
        run = stream_outputs if signature.is_stream else _await if signature.is_async else execute

        async def call(item: Item, attempt: int) -> list[Any]:
            context = node.context(item, attempt)
            begun = time.perf_counter()
            try:
                return await run(node, item, context, self._bench)
            finally:
                node.count.busy_s += time.perf_counter() - begun

        return call


def _slots_of(bench: Bench) -> Slots:
    if bench.stage.finds_concurrency:
        return AutoSlots(bench.stage.concurrency, bench.nodes[0].count, bench.clock)
    return Slots(bench.stage.concurrency)


async def _await(node: BoundNode, item: Item, context: Context | None, _bench: Bench) -> list[Any]:
    return outputs_of(await node.call(item, context), context)
