"""A diagram as data: blocks of boxes, and arrows between boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Arrow", "Block", "Box", "Diagram", "Look"]

Look = Literal["step", "choice", "sum", "port"]
"""A step; a choice of ways; a sum of all that comes; a way into or out of the diagram."""


@dataclass(frozen=True, slots=True)
class Box:
    """One thing that is drawn."""

    key: str
    """Names it in arrows; unique in the diagram."""
    title: str
    """What stands in it."""
    detail: str = ""
    """What stands below, smaller; empty for nothing."""
    look: Look = "step"
    """How it is drawn."""


@dataclass(frozen=True, slots=True)
class Block:
    """Boxes that stay together, one after the other; with more than one box there is a frame round them."""

    boxes: tuple[Box, ...]
    """From left to right."""
    title: str = ""
    """What stands at the frame."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """From one box to another. One that closes a cycle is drawn as a way back."""

    source: str
    """Key of the box that it leaves."""
    target: str
    """Key of the box that it enters."""
    label: str = ""
    """What stands at it."""


@dataclass(frozen=True, slots=True)
class Diagram:
    """What is to be drawn, from left to right."""

    title: str
    """What it shows, for those who do not see it."""
    blocks: tuple[Block, ...]
    """In the order in which they should be met; breaks ties."""
    arrows: tuple[Arrow, ...]
    """No two of them between the same boxes in the same direction."""

    @property
    def boxes(self) -> tuple[Box, ...]:
        """All boxes, by block."""
        return tuple(box for block in self.blocks for box in block.boxes)
