"""Amounts as a person writes them: how many of something, and how long."""

from __future__ import annotations

__all__ = ["counted", "in_seconds"]


def counted(count: int, what: str) -> str:
    """So many of something: `1 replica`, `1,200 replicas`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def in_seconds(time_s: float) -> str:
    """A time with the digits that matter: `0.5 s` for 0.499997, `1,200 s`."""
    return f"{time_s:.3g} s" if round(time_s) < 1_000 else f"{time_s:,.0f} s"
