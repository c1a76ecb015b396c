"""Inputs that are awaited: a task reads them into a feed, as far as the window allows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import Any, Self

from penguiray.ingress.feed import Feed

__all__ = ["AsyncInputs"]


class AsyncInputs:
    """Reads an async iterable while its block lasts; the iterator is begun, read and closed in one task."""

    def __init__(self, feed: Feed, source: AsyncIterable[Any]) -> None:
        self._feed = feed
        self._source = source
        self._go_on = asyncio.Event()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        feed, iterator = self._feed, aiter(self._source)
        try:
            while not feed.has_ended:
                if not feed.wants_input:
                    self._go_on.clear()
                    await self._go_on.wait()
                    continue
                try:
                    value = await anext(iterator)
                except StopAsyncIteration:
                    feed.end_input()
                    return
                feed.admit([value])
                if feed.has_results:
                    await asyncio.sleep(0)  # a source that never waits must not keep the results back
        finally:
            feed.signal.set()
            close = getattr(iterator, "aclose", None)
            if close is not None:
                await close()

    def go_on(self) -> None:
        """The window may have room again; raises what reading has raised."""
        if self._task.done():
            self._task.result()
        self._go_on.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        is_left = error is None or isinstance(error, GeneratorExit)
        if is_left and not self._task.cancelled():
            self._task.result()
