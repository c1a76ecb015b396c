"""Which column each block stands in, and in which order from top to bottom: the first half of a layered drawing.

Columns by the longest way from the left, order by barycenters. Arrows that close a cycle are left out; an arrow over
several columns goes through a place of its own in each column between.

Source: K. Sugiyama, S. Tagawa, M. Toda, "Methods for visual understanding of hierarchical system structures", IEEE
Transactions on Systems, Man, and Cybernetics 11(2), 1981.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Ranked", "rank"]

_SWEEPS = 8

Columns = list[list[int]]
Neighbours = Mapping[int, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Ranked:
    """Where everything stands. Items are blocks by their number, and beyond them places that long arrows pass."""

    columns: Columns
    """From left to right; in each the items from top to bottom."""
    ways: Mapping[int, tuple[int, ...]]
    """For each arrow to the right, by its number: its items from source to target, one in each column."""
    back: tuple[int, ...]
    """Numbers of the arrows that close a cycle."""
    before: Neighbours
    """For each item, those that it is joined to in the column to its left."""
    after: Neighbours
    """For each item, those that it is joined to in the column to its right."""


def rank(count: int, pairs: Sequence[tuple[int, int]]) -> Ranked:
    """Put blocks in columns and order.

    Args:
        count: Number of blocks.
        pairs: For each arrow the numbers of the blocks that it leaves and enters.
    """
    order, closing = _walk(count, pairs)
    forward = {number: pair for number, pair in enumerate(pairs) if number not in closing}
    columns, ways = _placed(_longest(order, list(forward.values())), forward)
    before: dict[int, list[int]] = {item: [] for column in columns for item in column}
    after: dict[int, list[int]] = {item: [] for column in columns for item in column}
    for way in ways.values():
        for left, right in pairwise(way):
            after[left].append(right)
            before[right].append(left)
    return Ranked(_untangled(columns, before, after), ways, tuple(sorted(closing)), before, after)


def _walk(count: int, pairs: Sequence[tuple[int, int]]) -> tuple[list[int], set[int]]:
    """Blocks in an order in which arrows point forward, and the arrows that lead back to where a walk came from."""
    leaving: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for number, (source, target) in enumerate(pairs):
        leaving[source].append((number, target))
    closing: set[int] = set()
    on_way: set[int] = set()
    left: dict[int, None] = {}
    for root in range(count):
        stack: list[tuple[int, Iterator[tuple[int, int]]]] = [(root, iter(leaving[root]))]
        while stack:
            block, arrows = stack[-1]
            on_way.add(block)
            for number, target in arrows:
                if target in on_way:
                    closing.add(number)
                elif target not in left:
                    stack.append((target, iter(leaving[target])))
                    break
            else:
                stack.pop()
                on_way.discard(block)
                left.setdefault(block)
    return list(reversed(left)), closing


def _longest(order: Sequence[int], pairs: Sequence[tuple[int, int]]) -> list[int]:
    """For each block, the most arrows on a way that leads to it."""
    ranks = [0] * len(order)
    for block in order:
        for source, target in pairs:
            if source == block:
                ranks[target] = max(ranks[target], ranks[source] + 1)
    return ranks


def _placed(ranks: Sequence[int], arrows: Mapping[int, tuple[int, int]]) -> tuple[Columns, dict[int, tuple[int, ...]]]:
    """Columns with blocks and the places of long arrows, and the way of each arrow."""
    columns: Columns = [[] for _ in range(max(ranks, default=-1) + 1)]
    for block, column in enumerate(ranks):
        columns[column].append(block)
    ways, free = {}, len(ranks)
    for number, (source, target) in arrows.items():
        between = range(ranks[source] + 1, ranks[target])
        places = [free + step for step in range(len(between))]
        for place, column in zip(places, between, strict=True):
            columns[column].append(place)
        free += len(places)
        ways[number] = (source, *places, target)
    return columns, ways


def _untangled(columns: Columns, before: Neighbours, after: Neighbours) -> Columns:
    """The order with the fewest crossings that sweeping right and left finds."""
    best, fewest = columns, _crossings(columns, after)
    current = columns
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        current = _swept(current, before) if sweep % 2 == 0 else _swept(current[::-1], after)[::-1]
        crossings = _crossings(current, after)
        if crossings < fewest:
            best, fewest = current, crossings
    return best


def _swept(columns: Columns, neighbours: Neighbours) -> Columns:
    """Order each column by where its items' neighbours stand in the column before it, on the mean."""
    swept = columns[:1]
    for column in columns[1:]:
        place = {item: number for number, item in enumerate(swept[-1])}
        own = {item: number for number, item in enumerate(column)}
        means = {
            item: sum(place[one] for one in neighbours[item]) / len(neighbours[item]) if neighbours[item] else own[item]
            for item in column
        }
        swept.append(sorted(column, key=means.__getitem__))
    return swept


def _crossings(columns: Columns, after: Neighbours) -> int:
    """How many pairs of arrows cross between neighbouring columns."""
    total = 0
    for left, right in pairwise(columns):
        place = {item: number for number, item in enumerate(right)}
        met: list[int] = []
        for item in left:
            ends = sorted(place[one] for one in after[item])
            total += sum(len(met) - bisect.bisect_right(met, end) for end in ends)
            for end in ends:
                bisect.insort(met, end)
    return total
