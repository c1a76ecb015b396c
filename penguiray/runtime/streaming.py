"""Outputs of one message's generator, sent as they are yielded."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

from penguiray.graph.context import Context
from penguiray.runtime.bound import BoundNode, Item
from penguiray.runtime.cancelled import Cancelled
from penguiray.runtime.work import Bench

__all__ = ["iterate", "stream_outputs"]


async def stream_outputs(node: BoundNode, item: Item, context: Context | None, bench: Bench) -> list[Any]:
    """Send a generator's outputs; those that an earlier attempt has sent are left out.

    Where another attempt may follow that would give others, they are kept until the generator has ended, and all are
    handed out before anything can end this attempt.

    Returns:
        Nothing more: all outputs are sent, and `item.sent` says how many there were.
    """
    outbox, index = bench.outbox, 0
    if node.gives_at_end:
        outputs = [output async for group in _groups(node, item, context, bench) for output in group]
        for output in outputs:
            outbox.stream(item, item.sent, output)
            item.sent += 1
        node.count.given += len(outputs)
        return []
    async for group in _groups(node, item, context, bench):
        for output in group:
            if index >= item.sent:
                outbox.stream(item, index, output)
                node.count.given += 1
                item.sent += 1
            index += 1
        outbox.flush()
        await outbox.room()
        await asyncio.sleep(0)  # where code runs inline, nothing else lets these outputs leave before the next
    return []


async def _groups(node: BoundNode, item: Item, context: Context | None, bench: Bench) -> AsyncIterator[list[Any]]:
    if not node.spec.signature.is_async:
        async for group in bench.executor.stream(iterate, node, item, context, bench.cancelled):
            yield group
        return
    stream = node.call(item, context)
    if inspect.isawaitable(stream):
        stream = await stream
    async for output in stream:
        yield [*_emitted(context), *([] if output is None else [output])]
    yield _emitted(context)


def iterate(node: BoundNode, item: Item, context: Context | None, cancelled: Cancelled) -> Iterator[Any]:
    """What a sync generator gives, where user code runs: before each message those that were emitted until then.

    It is left at its next message when its input is given up.
    """
    outputs = _iterated(node, item, context, cancelled)
    return iter(list(outputs)) if node.gives_at_end else outputs


def _iterated(node: BoundNode, item: Item, context: Context | None, cancelled: Cancelled) -> Iterator[Any]:
    for output in node.call(item, context):
        if cancelled.has_any and item.root in cancelled:
            return
        yield from _emitted(context)
        if output is not None:
            yield output
    yield from _emitted(context)


def _emitted(context: Context | None) -> list[Any]:
    """Takes what was emitted since the last time."""
    if context is None:
        return []
    emitted = list(context.emitted())
    context.emitted().clear()
    return emitted
