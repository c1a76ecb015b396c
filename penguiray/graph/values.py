"""Values with a meaning of their own in what a node returns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

__all__ = ["Many", "Routed", "Rows"]

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Routed:
    """An output that does not go the way of all: a route chose a branch for it, or it was emitted to one node."""

    destination: int
    """See `plan.plan.goes_along`."""
    value: Any


class Many(Generic[T_co]):
    """Several messages as one entry of a batch node's result: `pr.Many(values)`."""

    __slots__ = ("values",)

    def __init__(self, values: Iterable[T_co]) -> None:
        self.values: tuple[T_co, ...] = tuple(values)

    def __iter__(self) -> Iterator[T_co]:
        return iter(self.values)

    def __repr__(self) -> str:
        return f"Many({list(self.values)!r})"


class Rows:
    """Result of an Arrow or numpy batch node of another length than its input: `pr.Rows(table, parent=indices)`."""

    __slots__ = ("parent", "table")

    def __init__(self, table: Any, *, parent: Iterable[int]) -> None:
        """Say which input each row came from.

        Args:
            table: Arrow table of n rows, or numpy array of shape (n, ...).
            parent: n indices into the batch that the node was given, from 0; in any order, gaps allowed.
        """
        self.table = table
        self.parent: tuple[int, ...] = tuple(int(index) for index in parent)
