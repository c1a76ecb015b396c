"""The runs of a cluster, as lines for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from penguiray.observe.card import RunCard

__all__ = ["run_lines", "runs_as_json"]

_HEADS = ("name", "flow", "host", "pid", "since", "replicas")


def run_lines(cards: Sequence[RunCard], silent: Sequence[str]) -> Iterator[str]:
    """Give a heading and a line for each run, then one for each that did not answer.

    A run without a name, like that of a `flow.map`, has `-` in the place of its name. Replicas are told stage by stage.
    """
    rows = [
        (
            card.name or "-", card.flow, card.host, str(card.pid), card.started,
            ", ".join(f"{name} x{count}" for name, count in card.stages),
        )
        for card in cards
    ]  # fmt: skip
    widths = [max(len(row[column]) for row in (_HEADS, *rows)) for column in range(len(_HEADS) - 1)]
    for row in (_HEADS, *rows) if rows else ():
        yield "  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]])
    for name in silent:
        yield f"{name}: does not answer; its first replica waits for its place, or its host stands still"
    if not rows and not silent:
        yield "no runs"


def runs_as_json(cards: Sequence[RunCard], silent: Sequence[str]) -> str:
    """All runs as one JSON array; of one that did not answer, only the name is known."""
    known: list[dict[str, Any]] = [
        {
            "name": card.name,
            "flow": card.flow,
            "host": card.host,
            "pid": card.pid,
            "since": card.started,
            "stages": [{"name": name, "replicas": count} for name, count in card.stages],
        }
        for card in cards
    ]
    unknown = {"flow": None, "host": None, "pid": None, "since": None, "stages": None}
    return json.dumps([*known, *({"name": name, **unknown} for name in silent)], indent=2)
