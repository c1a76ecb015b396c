"""Where everything in a diagram stands, in pixels: the second half of a layered drawing. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from penguiray.draw.diagram import Arrow, Block, Box, Diagram
from penguiray.draw.ranks import Ranked, rank
from penguiray.draw.text import shortened, width_of

__all__ = ["DETAIL_SIZE", "NAME_SIGNS", "TITLE_SIZE", "Layout", "Rect", "Way", "lay_out"]

TITLE_SIZE, DETAIL_SIZE = 13, 11
"""Sizes of the fonts."""
NAME_SIGNS = 32
"""Longest name that is shown whole."""
_MARGIN = 12.0
_ROW_GAP = 18.0
_COLUMN_GAP = 44.0
_CURVE = 36.0
"""Width of the bend of an arrow; its label stands on the straight part behind it."""
_INNER_GAP = 28.0
_FRAME_X, _FRAME_Y = 12.0, 18.0
_LANE = 18.0
"""Height of the lane of an arrow that leads back."""
_SWEEPS = 5
"""To the right and to the left by turns; an odd number."""


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle; y grows downwards."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right side."""
        return self.x + self.width

    @property
    def middle(self) -> float:
        """Half its height."""
        return self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class Way:
    """The line of an arrow."""

    path: str
    """Path data of SVG, up to the tip."""
    tip: tuple[float, float]
    """Where its head ends, pointing right."""
    label: str
    """What stands at it."""
    label_at: tuple[float, float]
    """Where the label ends, on its base line."""
    is_back: bool
    """Whether it closes a cycle."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A diagram with places."""

    width: float
    height: float
    boxes: Mapping[str, Rect]
    """By key."""
    frames: tuple[tuple[Rect, str], ...]
    """Frames round blocks, with their titles."""
    ways: tuple[Way, ...]
    """Arrows."""


def lay_out(diagram: Diagram) -> Layout:
    """Give everything its place; the same diagram gives the same places."""
    block_of = {box.key: number for number, block in enumerate(diagram.blocks) for box in block.boxes}
    inner, outer = _split(diagram)
    ranked = rank(len(diagram.blocks), [(block_of[arrow.source], block_of[arrow.target]) for arrow in outer])
    sizes = _sizes(diagram)
    sheet = _Sheet(ranked, outer, sizes, diagram.blocks)
    ways = [_straight(sheet.boxes[arrow.source], sheet.boxes[arrow.target], arrow) for arrow in inner]
    ways += [sheet.way(number, arrow) for number, arrow in enumerate(outer)]
    return Layout(sheet.width, sheet.height, sheet.boxes, sheet.frames, tuple(ways))


def _split(diagram: Diagram) -> tuple[list[Arrow], list[Arrow]]:
    """Arrows from a box to the next one in its block, and the others."""
    next_to = {(left.key, right.key) for block in diagram.blocks for left, right in pairwise(block.boxes)}
    inner = [arrow for arrow in diagram.arrows if (arrow.source, arrow.target) in next_to]
    return inner, [arrow for arrow in diagram.arrows if (arrow.source, arrow.target) not in next_to]


def _sizes(diagram: Diagram) -> dict[str, tuple[float, float]]:
    """Width and height of each box; all but ways in and out are of one height."""
    tall = 46.0 if any(box.detail and box.look != "port" for box in diagram.boxes) else 34.0
    return {
        box.key: (_width(box), (46.0 if box.detail else 34.0) if box.look == "port" else tall)
        for box in diagram.boxes
    }  # fmt: skip


def _width(box: Box) -> float:
    title = width_of(shortened(box.title, NAME_SIGNS), TITLE_SIZE)
    detail = width_of(shortened(box.detail, NAME_SIGNS), DETAIL_SIZE)
    extra = {"step": 24, "choice": 40, "sum": 36, "port": 32}[box.look]
    return round(max(title, detail, 24) + extra)


class _Sheet:
    """Places on the sheet, worked out once: columns, then heights, then boxes, and lines when they are asked for."""

    def __init__(
        self, ranked: Ranked, arrows: Sequence[Arrow], sizes: Mapping[str, tuple[float, float]], blocks: Sequence[Block]
    ) -> None:
        self._ranked = ranked
        extents = [_extent(block, sizes) for block in blocks]
        self._places = {item: at for at, column in enumerate(ranked.columns) for item in column}
        self._columns = _columns(ranked, arrows, extents)
        tall = {item: extents[item][1] if item < len(blocks) else 8.0 for item in self._places}
        self._middles = _middles(ranked, tall)
        self.boxes: dict[str, Rect] = {}
        frames = []
        for number, block in enumerate(blocks):
            column = self._columns[self._places[number]]
            width, height = extents[number]
            outline = Rect(column.x + (column.width - width) / 2, self._middles[number] - height / 2, width, height)
            self.boxes |= _inside(block, outline, sizes)
            if len(block.boxes) > 1:
                frames.append((outline, block.title))
        self.frames = tuple(frames)
        self._below = max([self._middles[item] + tall[item] / 2 for item in tall], default=0.0)
        self.width = max([column.right for column in self._columns], default=0.0) + _side(ranked)
        self.height = self._below + _LANE * len(ranked.back) + _MARGIN
        self._label_places: dict[tuple[int, int], int] = {}

    def way(self, number: int, arrow: Arrow) -> Way:
        """The line of an arrow."""
        source, target = self.boxes[arrow.source], self.boxes[arrow.target]
        if number in self._ranked.ways:
            return self._forward(source, target, arrow, self._ranked.ways[number])
        return self._back(source, target, arrow, self._ranked.back.index(number))

    def _forward(self, source: Rect, target: Rect, arrow: Arrow, items: Sequence[int]) -> Way:
        """Right out of its column, through the columns between, and into the target."""
        left = self._columns[self._places[items[0]]]
        parts, y = [f"M{_n(source.right)} {_n(source.middle)}", f"H{_n(left.right)}"], source.middle
        label_at = (0.0, 0.0)
        for item in items[1:]:
            column, next_y = self._columns[self._places[item]], self._middles[item]
            bend, half = left.right + _CURVE, left.right + _CURVE / 2
            parts.append(f"C{_n(half)} {_n(y)} {_n(half)} {_n(next_y)} {_n(bend)} {_n(next_y)}")
            if item == items[1]:
                label_at = (column.x - 10, next_y - 5 - 13 * self._taken(items[0], item, arrow.label))
            if item != items[-1]:
                parts.append(f"H{_n(column.right)}")
            left, y = column, next_y
        parts.append(f"H{_n(target.x)}")
        return Way(" ".join(parts), (target.x, target.middle), arrow.label, label_at, is_back=False)

    def _taken(self, source: int, item: int, label: str) -> int:
        """How many labels stand already where this one is to stand."""
        place = (self._places[source], item)
        self._label_places[place] = self._label_places.get(place, -1) + bool(label)
        return max(0, self._label_places[place])

    def _back(self, source: Rect, target: Rect, arrow: Arrow, lane: int) -> Way:
        """Out to the right, down to a lane below everything, back along it, up, and in from the left."""
        low = self._below + _LANE * (lane + 1) - 4
        start, end = source.middle, target.middle
        right, left = self._column_at(source).right + 14, self._column_at(target).x - 16
        path = (
            f"M{_n(source.right)} {_n(start)} H{_n(right - 6)} Q{_n(right)} {_n(start)} {_n(right)} {_n(start + 6)} "
            f"V{_n(low - 6)} Q{_n(right)} {_n(low)} {_n(right - 6)} {_n(low)} "
            f"H{_n(left + 6)} Q{_n(left)} {_n(low)} {_n(left)} {_n(low - 6)} "
            f"V{_n(end + 6)} Q{_n(left)} {_n(end)} {_n(left + 6)} {_n(end)} H{_n(target.x)}"
        )
        return Way(path, (target.x, end), arrow.label, (right - 12, low - 4), is_back=True)

    def _column_at(self, box: Rect) -> Rect:
        return next(column for column in self._columns if column.x <= box.x <= column.right)


def _side(ranked: Ranked) -> float:
    """Margin at the left and right; ways back need some room there."""
    return _MARGIN + (18.0 if ranked.back else 0.0)


def _extent(block: Block, sizes: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    """Width and height of a block, its frame included."""
    widths = sum(sizes[box.key][0] for box in block.boxes) + _INNER_GAP * (len(block.boxes) - 1)
    tallest = max(sizes[box.key][1] for box in block.boxes)
    if len(block.boxes) == 1:
        return widths, tallest
    return widths + 2 * _FRAME_X, tallest + 2 * _FRAME_Y


def _inside(block: Block, outline: Rect, sizes: Mapping[str, tuple[float, float]]) -> dict[str, Rect]:
    """Boxes of a block, side by side."""
    x = outline.x + (_FRAME_X if len(block.boxes) > 1 else 0.0)
    boxes = {}
    for box in block.boxes:
        width, height = sizes[box.key]
        boxes[box.key] = Rect(x, outline.middle - height / 2, width, height)
        x += width + _INNER_GAP
    return boxes


def _columns(ranked: Ranked, arrows: Sequence[Arrow], extents: Sequence[tuple[float, float]]) -> list[Rect]:
    """Columns as wide as their widest block, with room for the labels of the arrows that begin in them."""
    columns, x = [], _side(ranked)
    for items in ranked.columns:
        width = max(extents[item][0] for item in items if item < len(extents))
        columns.append(Rect(x, 0.0, width, 0.0))
        labels = [width_of(arrows[number].label, DETAIL_SIZE) for number, way in ranked.ways.items() if way[0] in items]
        x += width + max([_COLUMN_GAP, *(_CURVE + label + 20 for label in labels if label)])
    return columns


def _middles(ranked: Ranked, tall: Mapping[int, float]) -> dict[int, float]:
    """The height at which each item stands: at its neighbours' mean, but clear of the items above and below.

    The last sweep goes right, so that a chain is a straight line.
    """
    middles = {item: 0.0 for column in ranked.columns for item in column}
    for sweep in range(_SWEEPS):
        neighbours = ranked.after if sweep % 2 else ranked.before
        for column in reversed(ranked.columns) if sweep % 2 else ranked.columns:
            near = [[middles[one] for one in neighbours[item]] or [middles[item]] for item in column]
            wanted = [sum(heights) / len(heights) for heights in near]
            apart = [(tall[above] + tall[below]) / 2 + _ROW_GAP for above, below in pairwise(column)]
            middles |= zip(column, _spaced(wanted, apart), strict=True)
    top = min([middles[item] - tall[item] / 2 for item in middles], default=0.0)
    return {item: middle - top + _MARGIN for item, middle in middles.items()}


def _spaced(wanted: Sequence[float], apart: Sequence[float]) -> list[float]:
    """Positions in this order, at least so far apart, with the least squares of distances from the wanted ones.

    Source: pool adjacent violators; M. Ayer et al., "An empirical distribution function for sampling with incomplete
    information", Annals of Mathematical Statistics 26(4), 1955.
    """
    shifts = [0.0]
    for distance in apart:
        shifts.append(shifts[-1] + distance)
    pools: list[tuple[float, int]] = []
    for want, shift in zip(wanted, shifts, strict=False):
        total, count = want - shift, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            pooled = pools.pop()
            total, count = total + pooled[0], count + pooled[1]
        pools.append((total, count))
    levels = [total / count for total, count in pools for _ in range(count)]
    return [level + shift for level, shift in zip(levels, shifts, strict=False)]


def _straight(source: Rect, target: Rect, arrow: Arrow) -> Way:
    tip = (target.x, target.middle)
    return Way(f"M{_n(source.right)} {_n(source.middle)} H{_n(target.x)}", tip, arrow.label, tip, is_back=False)


def _n(number: float) -> str:
    """A number as SVG takes it, with one decimal at most."""
    return f"{round(number, 1):g}"
