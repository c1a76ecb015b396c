"""Values with a meaning of their own in what a node returns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Generic, TypeAlias, TypeVar

__all__ = ["Key", "Many", "Routed", "Rows", "key_hash"]

Key: TypeAlias = str | bytes | int | tuple["Key", ...]
"""What a message's key may be: plain values, since every process must find the same replica for it."""

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Routed:
    """An output that does not go the way of all: a route chose its branch, or it was emitted to one node, or by key."""

    destination: int | None
    """See `plan.plan.goes_along`. None: the way of all."""
    value: Any
    key: int | None = None
    """Hash of its key: of those with the same, each stage has one replica for all, and keeps their order."""


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


def key_hash(key: Key) -> int:
    """Hash of a key, of 63 bits: the same in every process, for keys that are equal.

    Raises:
        TypeError: That cannot be a key.
    """
    return int.from_bytes(blake2b(repr(_plain(key)).encode(), digest_size=8).digest()) >> 1


def _plain(key: Key) -> Key:
    """The key without subclasses, of which some have a repr of their own."""
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, bytes):
        return bytes(key)
    if isinstance(key, int):
        return int(key)
    if isinstance(key, tuple):
        return tuple(map(_plain, key))
    raise TypeError(
        f"a key is a text, bytes, a whole number, or a tuple of these, not a {type(key).__name__}: take a field of it"
    )
