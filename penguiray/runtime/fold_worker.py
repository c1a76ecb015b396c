"""Runs a fold: one sum for each call whose messages come here, given when the call's input ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

from penguiray.link.frame import Kind
from penguiray.link.ids import call_of, first_call, ingress_of, root_of
from penguiray.link.message import Messages
from penguiray.runtime.bound import BoundNode, Item
from penguiray.runtime.executor import as_error
from penguiray.runtime.inbox import Control
from penguiray.runtime.seen import Seen
from penguiray.runtime.work import Bench, gave_up_on, item_of

__all__ = ["FoldWorker"]

_SLICE = 64
_FORGOTTEN = 1_000
"""Calls that are remembered after they were given up."""


class FoldWorker:
    """Worker for a fold node. The end of a call comes as a message of its own, whose outputs the sum is."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._node: BoundNode = bench.nodes[0]
        self._sums: dict[int, Any] = {}
        self._forgotten: dict[int, None] = {}
        self._seen = Seen()
        self._at_work: list[int] = []
        self._per_message_s = 0.0

    async def run(self) -> None:
        """Work until the inbox is closed and empty."""
        bench = self._bench
        while (taken := await bench.inbox.take(_SLICE)) is not None:
            self._at_work = taken.messages.ids if isinstance(taken, Control) else taken.ids
            if not isinstance(taken, Control):
                begun = bench.clock.now()
                self._report(taken, await bench.executor.call(self._add_all, taken))
                self._per_message_s = (bench.clock.now() - begun) / len(taken)
            elif taken.kind is Kind.FORGET:
                self._forget(taken.call)
            elif taken.messages.ids:
                await self._finish(taken.call, item_of(taken.messages, 0))
            self._at_work = []
            bench.outbox.flush()
            await bench.outbox.room()
            await asyncio.sleep(0)

    def cancel(self) -> None:
        """What was added to a sum stays there; sums of whole calls are dropped by a word of their own."""

    def held(self) -> Iterator[int]:
        """Ids of the messages that are added at this moment, or of the one that asks for the sum."""
        return iter(self._at_work)

    @property
    def has_more(self) -> bool:
        """Whether messages wait."""
        return not self._bench.inbox.is_empty

    @property
    def service_s(self) -> float:
        """Mean time for one message, in seconds."""
        return self._per_message_s

    def wait_s(self, ahead: int) -> float:
        """See `Worker`."""
        return ahead * self._per_message_s

    def _forget(self, call: int) -> None:
        """Drop a sum, or all sums of a process that has gone; messages that are still on their way make no new one."""
        ingress = ingress_of(root_of(call, 0))
        if ingress and call == first_call(ingress):
            self._sums = {one: total for one, total in self._sums.items() if ingress_of(root_of(one, 0)) != ingress}
        self._sums.pop(call, None)
        self._forgotten[call] = None
        if len(self._forgotten) > _FORGOTTEN:
            del self._forgotten[next(iter(self._forgotten))]

    def _add_all(self, messages: Messages) -> list[tuple[int, Exception]]:
        """Add messages to their calls' sums, where user code runs; gives position and error of those that failed."""
        initial, add, _ = self._node.function
        count, begun = self._node.count, time.perf_counter()
        failed: list[tuple[int, Exception]] = []
        values = iter(messages.values)
        self._node.running.begin_column(messages, values)
        for index, (root, value) in enumerate(zip(messages.roots, values, strict=True)):
            call = call_of(root)
            if call in self._forgotten or self._seen.again(messages.ids[index]):
                continue
            try:
                total = self._sums[call] if call in self._sums else initial()
                self._sums[call] = add(total, value)
            except BaseException as error:  # noqa: BLE001 - the border to user code
                failed.append((index, as_error(error)))
        self._node.running.end_column()
        count.taken += len(messages)
        count.busy_s += time.perf_counter() - begun
        return failed

    def _report(self, messages: Messages, failed: list[tuple[int, Exception]]) -> None:
        outbox = self._bench.outbox
        for index, error in failed:
            gave_up_on(outbox, item_of(messages, index), self._node, error)
        lost = {index for index, _ in failed}
        kept = [index for index in range(len(messages)) if index not in lost] if lost else range(len(messages))
        outbox.finish_empty([messages.roots[index] for index in kept], [messages.ids[index] for index in kept])

    async def _finish(self, call: int, item: Item) -> None:
        initial, _, finish = self._node.function
        outbox, executor, count = self._bench.outbox, self._bench.executor, self._node.count
        begun = time.perf_counter()
        self._node.running.begin(item)
        try:
            item.value = self._sums.pop(call) if call in self._sums else await executor.call(initial)
            if self._node.spec.signature.is_stream:
                async for group in executor.stream(finish, item.value):
                    for output in (output for output in group if output is not None):
                        outbox.stream(item, item.sent, output)
                        item.sent += 1
                    outbox.flush()
                    await outbox.room()
                outbox.finish_stream(item, item.sent)
            else:
                result = await executor.call(finish, item.value)
                outputs = [] if result is None else [result]
                outbox.finish(item, outputs)
                item.sent = len(outputs)
        except Exception as error:  # noqa: BLE001 - the border to user code
            item.value = None
            gave_up_on(outbox, item, self._node, error)
        finally:
            self._node.running.end(item)
        count.given += item.sent
        count.busy_s += time.perf_counter() - begun
