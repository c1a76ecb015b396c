"""Iterators over results that can be closed: leaving the loop gives up what is under way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import AsyncGeneratorType, GeneratorType
from typing import Any, Generic, Self, TypeVar, cast

from penguiray.errors import ResultError

__all__ = ["AsyncResults", "Results"]

O_co = TypeVar("O_co", covariant=True)


class Results(Iterator[O_co], Generic[O_co]):
    """Results as they come. `close()`, the end of a `with` block, or dropping it gives up what is under way.

    They are given once. A loop that was left may be gone on with; one that begins when they have ended, or were closed,
    is refused, since it would find nothing and not say so. Those of `run.results()` are left to the next reader.
    """

    def __init__(self, items: Iterator[O_co]) -> None:
        self._items = cast("GeneratorType[O_co, None, None]", items)

    def __iter__(self) -> Self:
        """Begin a loop, or go on.

        Raises:
            ResultError: The results have ended, or were closed.
        """
        if self._items.gi_frame is None:
            raise _given()
        return self

    def __next__(self) -> O_co:
        return next(self._items)

    def __repr__(self) -> str:
        return _shown(self, is_over=self._items.gi_frame is None, how="for, or keep them with list(...)")

    def close(self) -> None:
        """Give up what is under way; may be called again."""
        self._items.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncResults(AsyncIterator[O_co], Generic[O_co]):
    """Results as they come, for `async for`; leave an unfinished loop inside `async with`, which closes it.

    They are given once; see `Results`.
    """

    def __init__(self, items: AsyncIterator[O_co]) -> None:
        self._items = cast("AsyncGeneratorType[O_co, Any]", items)

    def __aiter__(self) -> Self:
        """Begin a loop, or go on.

        Raises:
            ResultError: The results have ended, or were closed.
        """
        if self._items.ag_frame is None:
            raise _given()
        return self

    async def __anext__(self) -> O_co:
        return await anext(self._items)

    def __repr__(self) -> str:
        return _shown(self, is_over=self._items.ag_frame is None, how="async for")

    async def aclose(self) -> None:
        """Give up what is under way; may be called again."""
        await self._items.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _shown(results: object, *, is_over: bool, how: str) -> str:
    """What a notebook or a print shows of results, which are not there before they are read."""
    return f"<{type(results).__name__}: {'ended' if is_over else f'read with {how}'}>"


def _given() -> ResultError:
    return ResultError(
        "these results were read to their end or closed, and are given only once: keep them with list(...) or "
        "collect(...), or make the call again"
    )
