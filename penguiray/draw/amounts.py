"""Amounts as a person writes them: how many of something."""

from __future__ import annotations

__all__ = ["counted"]


def counted(count: int, what: str) -> str:
    """So many of something: `1 replica`, `1,200 replicas`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
