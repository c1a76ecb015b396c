"""Many awaits inside one call of a node, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from penguiray.errors import FlowError

__all__ = ["bounded_map"]

A = TypeVar("A")
B = TypeVar("B")


async def bounded_map(function: Callable[[A], Awaitable[B]], items: Iterable[A], *, limit: int = 8) -> list[B]:
    """Await a function for each item, at most `limit` at a time: for use inside an async node.

    Items are read only as calls begin. The first failure cancels the other calls and is raised as itself; so does
    the end of the node's own call, by its time-out or its caller's deadline. Nothing goes on after the return.

    Args:
        function: Called with one item; runs on the loop of the caller.
        items: Any iterable; reading it must not block.
        limit: Most calls at the same time; at least 1.

    Returns:
        What the calls gave, in the order of the items.

    Raises:
        FlowError: The limit is below 1.
        Exception: The first that a call raised.
    """
    if limit < 1:
        raise FlowError(f"pr.bounded_map: limit must be at least 1, not {limit}")
    results: dict[int, B] = {}
    numbered = enumerate(items)

    async def work() -> None:
        for index, item in numbered:
            results[index] = await function(item)

    tasks = [asyncio.create_task(work()) for _ in range(limit)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [results[index] for index in range(len(results))]
