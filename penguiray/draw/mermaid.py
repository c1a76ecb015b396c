"""A diagram as the text of a Mermaid flowchart, which GitHub and many editors draw."""

from __future__ import annotations

from collections.abc import Iterator

from penguiray.draw.diagram import Block, Box, Diagram

__all__ = ["mermaid_of"]

_SHAPES = {"step": ("[", "]"), "choice": ("{{", "}}"), "sum": ("[[", "]]"), "port": ("([", "])")}


def mermaid_of(diagram: Diagram) -> str:
    """Write a diagram as a Mermaid flowchart; the same diagram gives the same text.

    Source: https://mermaid.js.org/syntax/flowchart.html, for shapes and entity codes.
    """
    ids = {box.key: f"n{number}" for number, box in enumerate(diagram.boxes)}
    lines = ["flowchart LR"]
    for number, block in enumerate(diagram.blocks):
        lines += _block_lines(block, number, ids)
    for arrow in diagram.arrows:
        label = f"|{_quoted(arrow.label)}|" if arrow.label else ""
        lines.append(f"    {ids[arrow.source]} -->{label} {ids[arrow.target]}")
    return "\n".join(lines) + "\n"


def _block_lines(block: Block, number: int, ids: dict[str, str]) -> Iterator[str]:
    if len(block.boxes) == 1:
        yield f"    {_box(block.boxes[0], ids)}"
        return
    yield f"    subgraph s{number}[{_quoted(block.title)}]"
    for box in block.boxes:
        yield f"        {_box(box, ids)}"
    yield "    end"


def _box(box: Box, ids: dict[str, str]) -> str:
    opening, closing = _SHAPES[box.look]
    text = _escaped(box.title) + (f"<br>{_escaped(box.detail)}" if box.detail else "")
    return f'{ids[box.key]}{opening}"{text}"{closing}'


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    """All but letters, digits and a few harmless signs as entity codes: Mermaid reads HTML and Markdown in labels."""
    return "".join(sign if sign.isalnum() or sign in " _,:" else f"#{ord(sign)};" for sign in text)
