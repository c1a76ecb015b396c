"""A diagram as SVG that is readable on light and on dark ground.

Lines and texts have the colour of the text around them (`currentColor`), grounds are see-through. Attributes only, no
style sheet, ids or scripts: what shows a saved notebook may strip those.
"""

from __future__ import annotations

from collections.abc import Iterator

from penguiray.draw.diagram import Box, Diagram
from penguiray.draw.layout import DETAIL_SIZE, NAME_SIGNS, TITLE_SIZE, Rect, Way, lay_out
from penguiray.draw.text import escaped, shortened

__all__ = ["svg_of"]

_TINTS = {"step": "#4c8bf5", "choice": "#e8a33d", "sum": "#9b6bdf", "port": "#8a8f98"}
"""Colours that lie thinly over any ground."""
_STYLE = "<style>.penguiray{color:#1f2328}@media (prefers-color-scheme:dark){.penguiray{color:#e6edf3}}</style>"


def svg_of(diagram: Diagram, *, is_file: bool = False) -> str:
    """Draw a diagram.

    Args:
        diagram: What to draw.
        is_file: Whether it will stand alone, with no text around it whose colour it could take; it then brings colours
            for a light and a dark screen.
    """
    layout = lay_out(diagram)
    size = f"{round(layout.width)} {round(layout.height)}"
    width, height = size.split()
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="penguiray" width="{width}" height="{height}" '
            f'viewBox="0 0 {size}" role="img" fill="none" stroke="currentColor" '
            f'font-family="system-ui, Segoe UI, Helvetica, Arial, sans-serif" font-size="{TITLE_SIZE}">'
        ),
        _STYLE if is_file else "",
        f"<title>{escaped(diagram.title)}</title>",
    ]
    for frame, title in layout.frames:
        parts += _frame(frame, title)
    for way in layout.ways:
        parts += _way(way)
    for box in diagram.boxes:
        parts += _box(box, layout.boxes[box.key])
    return "".join([*parts, "</svg>"])


def _frame(frame: Rect, title: str) -> Iterator[str]:
    yield (
        f'<rect x="{_n(frame.x)}" y="{_n(frame.y)}" width="{_n(frame.width)}" height="{_n(frame.height)}" rx="10" '
        f'fill="currentColor" fill-opacity="0.04" stroke-opacity="0.35" stroke-dasharray="4 3"/>'
    )
    yield _text(title, frame.x + 12, frame.y + 13, "start", DETAIL_SIZE - 1, opacity=0.65)


def _way(way: Way) -> Iterator[str]:
    dashes = ' stroke-dasharray="5 3"' if way.is_back else ""
    yield f'<path d="{way.path}" stroke-opacity="0.6"{dashes}/>'
    x, y = way.tip
    head = f"{_n(x)},{_n(y)} {_n(x - 8)},{_n(y - 4)} {_n(x - 8)},{_n(y + 4)}"
    yield f'<polygon points="{head}" fill="currentColor" stroke="none"/>'
    if way.label:
        yield _text(way.label, *way.label_at, "end", DETAIL_SIZE, opacity=0.85)


def _box(box: Box, rect: Rect) -> Iterator[str]:
    hint = f"{box.title}: {box.detail}" if box.detail else box.title
    yield f"<g><title>{escaped(hint)}</title>"
    paint = f'fill="{_TINTS[box.look]}" fill-opacity="0.18"'
    if box.look == "choice":
        yield f'<polygon points="{_hexagon(rect)}" {paint}/>'
    else:
        round_ = rect.height / 2 if box.look == "port" else 6
        yield (
            f'<rect x="{_n(rect.x)}" y="{_n(rect.y)}" width="{_n(rect.width)}" height="{_n(rect.height)}" '
            f'rx="{_n(round_)}" {paint} stroke-opacity="0.75"/>'
        )
    if box.look == "sum":
        for x in (rect.x + 6, rect.right - 6):
            yield f'<path d="M{_n(x)} {_n(rect.y)} V{_n(rect.y + rect.height)}" stroke-opacity="0.75"/>'
    centre = rect.x + rect.width / 2
    yield _text(
        shortened(box.title, NAME_SIGNS), centre, rect.middle + (-2 if box.detail else 4.5), "middle", TITLE_SIZE
    )
    if box.detail:
        yield _text(shortened(box.detail, NAME_SIGNS), centre, rect.middle + 14, "middle", DETAIL_SIZE, opacity=0.75)
    yield "</g>"


def _hexagon(rect: Rect) -> str:
    left, right, top, bottom = rect.x, rect.right, rect.y, rect.y + rect.height
    corners = [
        (left + 12, top), (right - 12, top), (right, rect.middle), (right - 12, bottom), (left + 12, bottom),
        (left, rect.middle),
    ]  # fmt: skip
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in corners)


def _text(text: str, x: float, y: float, anchor: str, size: float, *, opacity: float = 1.0) -> str:
    return (
        f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}" font-size="{size:g}" fill="currentColor" '
        f'fill-opacity="{opacity:g}" stroke="none">{escaped(text)}</text>'
    )


def _n(number: float) -> str:
    return f"{round(number, 1):g}"
