"""Whether the code that runs here is a node's: what is started inside a node belongs to that node's replica."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Literal

__all__ = ["CallKind", "enter_node", "inside_node"]

CallKind = Literal["sync", "async"]

_inside: ContextVar[CallKind | None] = ContextVar("penguiray_inside_node", default=None)


def enter_node(kind: CallKind) -> None:
    """Say that this task or thread, and the tasks that it makes, run a node's code from now on."""
    _inside.set(kind)


def inside_node() -> CallKind | None:
    """Which kind of node the code that runs here belongs to; None outside, and in threads that a node made itself."""
    return _inside.get()
