"""Iterators over results that can be closed: leaving the loop gives up what is under way."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Any, Generic, Self, TypeVar, cast

__all__ = ["AsyncResults", "Results"]

O_co = TypeVar("O_co", covariant=True)


class Results(Iterator[O_co], Generic[O_co]):
    """Results as they come. `close()`, the end of a `with` block, or dropping it gives up what is under way.

    Those of `run.results()` are left to the next reader instead.
    """

    def __init__(self, items: Iterator[O_co]) -> None:
        self._items = cast("Generator[O_co, None, None]", items)

    def __next__(self) -> O_co:
        return next(self._items)

    def close(self) -> None:
        """Give up what is under way; may be called again."""
        self._items.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncResults(AsyncIterator[O_co], Generic[O_co]):
    """Results as they come, for `async for`; leave an unfinished loop inside `async with`, which closes it."""

    def __init__(self, items: AsyncIterator[O_co]) -> None:
        self._items = cast("AsyncGenerator[O_co, Any]", items)

    async def __anext__(self) -> O_co:
        return await anext(self._items)

    async def aclose(self) -> None:
        """Give up what is under way; may be called again."""
        await self._items.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
