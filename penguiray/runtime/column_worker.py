"""Runs stages of plain sync functions: column by column, node after node, in slices of a few milliseconds.

A slice bounds how long outputs wait for their neighbours, and how long the loop is away when code runs inline.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress, repeat
from operator import is_not
from typing import Any

from penguiray.errors import DeadlineExceeded
from penguiray.link.message import Messages
from penguiray.runtime.bound import BoundNode, Item
from penguiray.runtime.executor import as_error, harmless
from penguiray.runtime.inbox import Control, OnTaken
from penguiray.runtime.layers import Call
from penguiray.runtime.light import LIGHT_S, Light
from penguiray.runtime.slots import Slots
from penguiray.runtime.stack import build_stack
from penguiray.runtime.streaming import iterate, stream_outputs
from penguiray.runtime.work import PARKED_LIMIT, Bench, execute, gave_up_on, item_of, outputs_of

__all__ = ["ColumnWorker"]

SLICE_S = 0.02
"""Aim for a slice's length in seconds: between two of them the node's thread waits for the loop's."""


_DONE = object()
"""Marks the end of a generator's outputs for one message."""


@dataclass(slots=True)
class _Slice:
    """What became of the messages of one slice."""

    done: Messages
    """Those that went through, with their last values."""
    empty: list[tuple[int, int]] = field(default_factory=list)
    """(root, id) of those that a node ended by returning None."""
    failed: list[tuple[int, Item, Exception]] = field(default_factory=list)
    """Number of the node that raised, what it was given, and what it raised."""


class ColumnWorker:
    """Worker for sync nodes that give one message or none, one call at a time, without time-outs."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._slots = Slots(1)
        self._per_message_s = 0.0
        self._streams = bench.stage.last.signature.is_stream
        self._slice = Messages([], [], [])
        self._again: dict[asyncio.Task[None], Item] = {}
        self._light = Light()
        self._is_ending = False
        self._at_once = None if self._streams else self._take_at_once
        self._group = asyncio.TaskGroup()
        self._stacks = [
            build_stack(
                node,
                _one_call(node, bench),
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
        """Work until the inbox is closed and empty and no retry is waiting."""
        bench = self._bench
        async with self._group:
            while (taken := await bench.inbox.take(self._slice_size(), at_once=self._at_once)) is not None:
                if isinstance(taken, Control):
                    continue
                self._slice = taken
                await self._slots.take()
                try:
                    outcome = await self._work_on(taken)
                finally:
                    self._slots.give_back()
                self._report(outcome)
                self._slice = taken.cut(0, 0)
                bench.outbox.flush()
                await bench.outbox.room()
                while len(self._again) >= PARKED_LIMIT:
                    await asyncio.wait(self._again, return_when=asyncio.FIRST_COMPLETED)
                if not bench.inbox.is_empty:  # else the next wait lets others have their turn
                    await asyncio.sleep(0)

    def _take_at_once(self, messages: Messages, on_taken: OnTaken) -> bool:
        """Work on messages here, in the loop's own thread, if that takes no longer than to hand them to another one."""
        is_short = self._light.is_light and len(messages.ids) * self._per_message_s <= LIGHT_S
        if not is_short or self._is_ending or not self._bench.executor.is_here:
            return False
        if self._slots.free < 1 or len(self._again) >= PARKED_LIMIT or self._bench.outbox.is_full:
            return False
        on_taken()
        self._work_here(messages)
        return True

    def _work_here(self, messages: Messages) -> None:
        outcome = _Slice(messages)
        try:
            if messages.facts:
                messages = outcome.done = self._without_late(messages, outcome)
            if messages.ids:
                self._bench.executor.call_here(self._run_slice, messages, outcome)
        except BaseException as error:
            self._is_ending = True
            self._group.create_task(_raise(harmless(error)))
            if isinstance(error, KeyboardInterrupt):
                raise
            return
        self._report(outcome)
        self._bench.outbox.flush()

    def cancel(self) -> None:
        """End pauses before another attempt of inputs that were given up. Generators see it at their next output."""
        for task, item in self._again.items():
            if item.root in self._bench.cancelled and item.is_pausing:
                task.cancel()

    def held(self) -> Iterator[int]:
        """Ids of the messages of the slice that is worked on, and of those that wait for another attempt."""
        yield from self._slice.ids
        yield from (item.message_id for item in self._again.values())

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
        return (ahead + len(self._slice.ids)) * self._per_message_s

    async def _work_on(self, messages: Messages) -> _Slice:
        outcome = _Slice(messages)
        if messages.facts:
            messages = self._without_late(messages, outcome)
        if not len(messages):
            outcome.done = messages
            return outcome
        if not self._streams:
            await self._bench.executor.call(self._run_slice, messages, outcome)
            return outcome
        outbox = self._bench.outbox
        async for group in self._bench.executor.stream(self._stream_slice, messages, outcome):
            for item, output in group:
                _take_output(item, output, self._bench)
            outbox.flush()
            await outbox.room()
            await asyncio.sleep(0)  # where code runs inline, nothing else lets these outputs leave before the next
        return outcome

    def _slice_size(self) -> int:
        if self._per_message_s <= 0.0:
            return 1
        return max(1, min(int(SLICE_S / self._per_message_s), self._bench.outbox.allowance))

    def _run_slice(self, messages: Messages, outcome: _Slice) -> None:
        """Run the whole chain over a slice; called where the user's code runs."""
        begun = self._bench.clock.now()
        outcome.done = _run_columns(messages, self._bench.nodes, outcome)
        self._note_time(begun, messages)

    def _stream_slice(self, messages: Messages, outcome: _Slice) -> Iterator[tuple[Item, Any]]:
        """Run the chain up to its last node, a generator, and give that one's outputs as they are yielded."""
        size, begun = len(messages), self._bench.clock.now()
        *before, last = self._bench.nodes
        taken, messages = messages, _run_columns(messages, before, outcome)
        outcome.done = messages.cut(0, 0)
        last.count.taken += len(messages)
        for index in range(len(messages)):
            item = item_of(messages, index)
            started = time.perf_counter()
            last.running.begin(item)
            try:
                for output in iterate(last, item, last.context(item, 1), self._bench.cancelled):
                    yield item, output
            except BaseException as error:  # noqa: BLE001 - the border to user code
                outcome.failed.append((len(before), item, as_error(error)))
            else:
                yield item, _DONE
            last.running.end(item)
            last.count.busy_s += time.perf_counter() - started
        if last.budget is not None:
            last.budget.earn(size)
        self._note_time(begun, taken)

    def _note_time(self, begun: float, messages: Messages) -> None:
        each = (self._bench.clock.now() - begun) / len(messages.ids)
        self._per_message_s = each if self._per_message_s == 0.0 else 0.7 * self._per_message_s + 0.3 * each
        self._light.note(each)
        if messages.facts:
            self._bench.nodes[0].shedding.note(each)

    def _without_late(self, messages: Messages, outcome: _Slice) -> Messages:
        """Those whose callers still wait, and will when the slice has ended; what is done of it is told then."""
        shedding, now = self._bench.nodes[0].shedding, self._bench.clock.now()
        takes_s, is_last = shedding.rest_s(len(messages)), self._bench.inbox.is_empty
        kept: list[bool] = []
        for index in range(len(messages)):
            item = item_of(messages, index)
            refusal = shedding.refusal(item.deadline, now, takes_s=takes_s, is_last=is_last)
            kept.append(refusal is None)
            if refusal is not None:
                outcome.failed.append((0, item, refusal))
        return _keep(messages, kept)

    def _report(self, outcome: _Slice) -> None:
        outbox, done = self._bench.outbox, outcome.done
        if outcome.empty:
            outbox.finish_empty([root for root, _ in outcome.empty], [message_id for _, message_id in outcome.empty])
        if self._bench.nodes[-1].gives_lists:
            for index, outputs in enumerate(done.values):
                outbox.finish(item_of(done, index), outputs)
        elif outbox.chooses:
            for index, output in enumerate(done.values):
                outbox.finish(item_of(done, index), [output])
        elif done.ids:
            outbox.finish_column(done)
        for number, item, error in outcome.failed:
            node = self._bench.nodes[number]
            if node.budget is None or isinstance(error, DeadlineExceeded):
                gave_up_on(outbox, item, node, error)
            else:
                item.raised = error
                task = self._group.create_task(self._run_again(number, item))
                self._again[task] = item
                task.add_done_callback(self._again.__delitem__)

    async def _run_again(self, number: int, item: Item) -> None:
        """Take one message from the node that failed on it to the end of the chain, under the full policies."""
        outbox, outputs = self._bench.outbox, [item.value]
        node = self._bench.nodes[number]
        try:
            for place, (node, stack) in enumerate(zip(self._bench.nodes[number:], self._stacks[number:], strict=True)):
                item.value = outputs[0]
                node.count.taken += place > 0
                outputs = await stack(item, 1)
                node.count.given += len(outputs)
                if not outputs:
                    break
        except asyncio.CancelledError as error:
            if self._bench.inbox.is_abandoned:
                raise
            if item.root not in self._bench.cancelled:
                gave_up_on(outbox, item, node, as_error(error))
        except Exception as error:  # noqa: BLE001 - the border to user code
            gave_up_on(outbox, item, node, error)
        else:
            if self._streams and node is self._bench.nodes[-1]:
                outbox.finish_stream(item, item.sent)
            else:
                outbox.finish(item, outputs)
        outbox.flush()


async def _raise(error: BaseException) -> None:
    raise error


def _one_call(node: BoundNode, bench: Bench) -> Call:
    """One attempt at one message, giving its outputs; the first one may have been made in a column."""
    run = stream_outputs if node.spec.signature.is_stream else execute

    async def call(item: Item, attempt: int) -> list[Any]:
        if item.raised is not None:
            raised, item.raised = item.raised, None
            raise raised
        return await run(node, item, node.context(item, attempt), bench)

    return call


def _take_output(item: Item, output: Any, bench: Bench) -> None:
    """Pass on what a generator gave, or note that it has ended."""
    if output is _DONE:
        bench.outbox.finish_stream(item, item.sent)
        return
    bench.outbox.stream(item, item.sent, output)
    item.sent += 1
    bench.nodes[-1].count.given += 1


def _run_columns(messages: Messages, nodes: Sequence[BoundNode], outcome: _Slice) -> Messages:
    for number, node in enumerate(nodes):
        messages = _run_node(number, node, messages, outcome)
    return messages


def _run_node(number: int, node: BoundNode, messages: Messages, outcome: _Slice) -> Messages:
    """One node over a column. Those that failed or gave nothing are noted and left out of what it returns."""
    count, begun = node.count, time.perf_counter()
    errors: dict[int, Exception] = {}
    if node.gives_lists:  # which only a stage's last node may
        items = [item_of(messages, index) for index in range(len(messages))]
        outputs = _run_column(node, lambda item: _call_for_list(node, item), messages, items, errors)
        given = sum(map(len, compress(outputs, (index not in errors for index in range(len(outputs))))))
    else:
        outputs = _run_column(node, node.function, messages, messages.values, errors)
        given = -1
    count.busy_s += time.perf_counter() - begun
    count.taken += len(outputs)
    if node.budget is not None:
        node.budget.earn(len(outputs))
    for index, error in errors.items():
        outcome.failed.append((number, item_of(messages, index), error))
    passed = messages.with_values(outputs)
    if not all(map(is_not, outputs, repeat(None))):
        kept = [output is not None for output in outputs]
        pairs = zip(messages.roots, messages.ids, strict=True)
        outcome.empty += [pair for index, pair in enumerate(pairs) if not kept[index] and index not in errors]
        passed = _keep(passed, kept)
    count.given += len(passed.ids) if given < 0 else given
    return passed


def _call_for_list(node: BoundNode, item: Item) -> list[Any]:
    context = node.context(item, 1)
    return outputs_of(node.call(item, context), context)


def _run_column(
    node: BoundNode, call: Callable[[Any], Any], messages: Messages, values: list[Any], errors: dict[int, Exception]
) -> list[Any]:
    """Call a function with each message's value; one that raises leaves None in its place and its error in `errors`."""
    outputs: list[Any] = []
    append = outputs.append
    rest = iter(values)
    node.running.begin_column(messages, rest)
    while True:
        try:
            for value in rest:
                append(call(value))
        except BaseException as error:  # noqa: BLE001 - the border to user code
            errors[len(outputs)] = as_error(error)
            append(None)
        else:
            node.running.end_column()
            return outputs


def _keep(messages: Messages, kept: list[bool]) -> Messages:
    return messages if all(kept) else messages.pick(list(compress(range(len(messages)), kept)))
