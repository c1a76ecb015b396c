"""Rows of runs to Markdown: medians, and ratios within a round. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.peers import PEERS
from benchmarks.workloads import WORKLOADS, Workload

__all__ = ["markdown"]

Row = Mapping[str, Any]
"""What `benchmarks.run` writes: round, workload, peer, n, measures, error."""

_NONE = "-"
_BY_HAND = (
    "Times the figure of Ray used by hand: batched actors for chain and skew, a call per message for the rest. "
    "For the pings less is better:"
)
_TWO_DECIMALS_ABOVE = 0.095
"""Below this a ratio is shown with two significant digits."""
_WHOLE_ABOVE = 1_000
"""From here on a figure is shown without decimals."""


def markdown(rows: Sequence[Row]) -> str:
    """Three tables: medians, ratios to the plain loop, ratios to what one writes by hand on Ray.

    A ratio is the median of the ratios within each round, since a host's speed drifts from round to round.
    """
    workloads = [workload for name, workload in WORKLOADS.items() if any(row["workload"] == name for row in rows)]
    peers = [name for name in PEERS if any(row["peer"] == name for row in rows)]
    with_plain = [workload for workload in workloads if PEERS["plain"].does(workload.name)]
    with_hand = [workload for workload in workloads if workload.hand]
    by_plain = _table(
        "x plain", with_plain, peers, lambda workload, peer: _ratio_cell(rows, workload, peer, "plain"), has_units=False
    )
    by_hand = _table(
        "x by hand",
        with_hand,
        peers,
        lambda workload, peer: _ratio_cell(rows, workload, peer, workload.hand),
        has_units=False,
    )
    parts = [_table("median", workloads, peers, lambda workload, peer: _median_cell(rows, workload, peer))]
    parts += ["Times the plain loop's figure:", by_plain] if by_plain else []
    parts += [_BY_HAND, by_hand] if by_hand else []
    return "\n\n".join([*parts, _spread(rows)])


def _table(
    corner: str,
    columns: Sequence[Workload],
    peers: Iterable[str],
    cell: Callable[[Workload, str], str],
    *,
    has_units: bool = True,
) -> str:
    names = [f"{workload.name}, {workload.unit}" if has_units else workload.name for workload in columns]
    head = f"| {corner} | {' | '.join(names)} |"
    lines = []
    for peer in peers:
        cells = [cell(workload, peer) for workload in columns]
        if any(text != _NONE for text in cells):
            lines.append(f"| {PEERS[peer].title} | " + " | ".join(cells) + " |")
    return "\n".join([head, "| --- |" + " ---: |" * len(columns), *lines]) if lines else ""


def _median_cell(rows: Iterable[Row], workload: Workload, peer: str) -> str:
    mine = [row for row in rows if row["workload"] == workload.name and row["peer"] == peer]
    done = [row["measures"] for row in mine if not row["error"]]
    failed = len(mine) - len(done)
    if not done:
        return "error" if failed else _NONE
    text = _number(median(measures[workload.measure] for measures in done))
    if workload.beside:
        text += f" / {_number(median(measures[workload.beside] for measures in done))}"
    return f"{text} ({failed} failed)" if failed else text


def _ratio_cell(rows: Iterable[Row], workload: Workload, peer: str, base: str) -> str:
    ratios = _ratios(rows, workload, peer, base)
    if not ratios:
        return _NONE
    ratio = median(ratios)
    return f"{ratio:.2f}" if ratio >= _TWO_DECIMALS_ABOVE else f"{ratio:.2g}"


def _ratios(rows: Iterable[Row], workload: Workload, peer: str, base: str) -> list[float]:
    figures = _figures(rows, workload)
    return [
        figure / figures[base, round_number]
        for (name, round_number), figure in figures.items()
        if name == peer and (base, round_number) in figures
    ]


def _figures(rows: Iterable[Row], workload: Workload) -> dict[tuple[str, int], float]:
    """Figure by peer and round; the median, should a round hold several."""
    found: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    for row in rows:
        if row["workload"] == workload.name and not row["error"]:
            found[row["peer"], row["round"]].append(row["measures"][workload.measure])
    return {key: median(figures) for key, figures in found.items()}


def _spread(rows: Sequence[Row]) -> str:
    """One line that says how far the rounds of one cell were apart."""
    cells: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for workload in WORKLOADS.values():
        for (peer, _), figure in _figures(rows, workload).items():
            cells[workload.name, peer].append(figure)
    spreads = {key: max(figures) / min(figures) for key, figures in cells.items() if len(figures) > 1}
    if not spreads:
        return "One round: no spread is known."
    (workload_name, peer), widest = max(spreads.items(), key=lambda item: item[1])
    return (
        f"Spread, best round to worst: {median(spreads.values()):.2f} x in the median cell, {widest:.2f} x in the "
        f"widest ({workload_name}, {PEERS[peer].title})."
    )


def _number(value: float) -> str:
    if value >= _WHOLE_ABOVE:
        return f"{value:,.0f}"
    return f"{value:.3g}"
