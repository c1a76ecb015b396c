"""Texts on their way into a drawing: escaped, shortened, and how wide they are where no font can be asked."""

from __future__ import annotations

import html
import unicodedata

__all__ = ["escaped", "shortened", "width_of"]

_NARROW, _WIDE = frozenset("iIjlt.,:;'`|!()[]{}fr \"-/\\"), frozenset("mMwW@%—&")


def _share(sign: str) -> float:
    """Width of a sign in parts of the font's size; on the safe side for the usual sans-serif fonts."""
    if unicodedata.combining(sign):
        return 0.0
    if unicodedata.east_asian_width(sign) in {"W", "F"}:
        return 1.05
    if sign in _NARROW:
        return 0.38
    if sign in _WIDE:
        return 0.95
    return 0.7 if sign.isupper() else 0.6


def width_of(text: str, size: float) -> float:
    """About how wide a text is in a sans-serif font of this size; in the same unit."""
    return size * sum(map(_share, text))


def escaped(text: object) -> str:
    """A text for HTML and SVG, attributes included; control signs and lone surrogates, which XML lacks, are blanks."""
    signs = str(text)
    if not signs.isprintable():
        signs = "".join(sign if sign.isprintable() or sign in "\n\t" else " " for sign in signs)
    return html.escape(signs)


def shortened(text: str, most: int) -> str:
    """The text on one line, and with its middle left out where it has more than so many signs."""
    line = " ".join(text.split())
    if len(line) <= most:
        return line
    tail = most // 3
    return f"{line[: most - tail - 1]}…{line[-tail:]}"
