"""Pieces of static HTML for notebooks: no style sheet and no script, all text escaped.

The few styles are attributes; what shows a saved notebook may strip them, and the rest stays readable.
"""

from __future__ import annotations

from collections.abc import Sequence

from penguiray.draw.text import escaped

__all__ = ["beside", "folded", "lines", "scrolled", "table", "verbatim"]


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table of texts; numbers stand on the right."""
    top = "".join(f'<th style="text-align:left">{escaped(cell)}</th>' for cell in head)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    side = "right" if isinstance(value, int | float) else "left"
    text = f"{value:,}" if isinstance(value, int) else f"{value:,.1f}" if isinstance(value, float) else value
    return f'<td style="text-align:{side};vertical-align:top">{escaped(text)}</td>'


def folded(summary: str, inner: str) -> str:
    """Something that opens with a click; the summary is text, what is inside is HTML."""
    return f"<details><summary>{escaped(summary)}</summary>{inner}</details>"


def verbatim(text: object) -> str:
    """A text as it is, line for line."""
    return f'<pre style="white-space:pre-wrap">{escaped(text)}</pre>'


def lines(*parts: str) -> str:
    """Pieces of HTML, one below the other."""
    return "".join(f"<div>{part}</div>" for part in parts if part)


def scrolled(inner: str) -> str:
    """Something that may be wider than the page."""
    return f'<div style="overflow-x:auto">{inner}</div>'


def beside(*parts: str) -> str:
    """Pieces of HTML side by side, or below each other where the page is narrow."""
    inner = "".join(f'<div style="max-width:100%;overflow-x:auto">{part}</div>' for part in parts)
    return f'<div style="display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start">{inner}</div>'
