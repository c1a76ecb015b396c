"""CPU time of a message: `python -m benchmarks.cost` prints its table and updates README.md.

The lines vary stages, replicas, payload, delivery and transport one at a time. Each gets a fresh process; within a
round their order is shuffled from a seed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from statistics import median

from benchmarks.alone import Row, run_alone
from benchmarks.cost_cells import BASE, GROUPS, Cell, cells
from benchmarks.rounds import add_options, command_of, names_in, read_rows, run_rounds, section, update_readme

__all__ = ["main", "markdown"]

_MEASURES = ("driver_cpu_us", "workers_cpu_us", "stage_cpu_us", "services_cpu_us")
_HEAD = (
    "| varied | stages | replicas | payload, B | delivery | by | driver | replicas, all | a stage | Ray's own "
    "| x first | messages/s |"
)
_RULE = "| --- | ---: | ---: | ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for.

    Returns:
        Exit status: 1 when any line failed in any round, else 0.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--only", type=names_in(GROUPS), default=list(GROUPS), help="what is varied, by commas")
    wishes = parser.parse_args(arguments)
    rows = read_rows(wishes.table) if wishes.table else _run(wishes)
    text = section(rows, markdown(rows), lambda row: Cell(**row["cell"]).name)
    sys.stdout.write(text + "\n")
    if wishes.readme:
        update_readme(text, "cost")
    return 1 if any(row["error"] for row in rows) else 0


def _run(wishes: argparse.Namespace) -> list[Row]:
    words = command_of(wishes, "benchmarks.cost")
    words += [f"--only {','.join(wishes.only)}"] if wishes.only != list(GROUPS) else []

    def run(cell: Cell) -> Row:
        n = cell.size(wishes.scale)
        row = run_alone("benchmarks.cost_one", [json.dumps(asdict(cell)), "--n", str(n)], wishes.limit)
        return {"cell": asdict(cell), "n": n, **row}

    return run_rounds(wishes, cells(wishes.only), " ".join(words), run, _shown)


def _shown(row: Row) -> str:
    return f"{Cell(**row['cell']).name}: {row['error'] or row['measures']['cpu_us']}"


def markdown(rows: Sequence[Row]) -> str:
    """The table: medians over the rounds, in CPU microseconds for each message; pure."""
    by_cell: dict[Cell, list[Row]] = {}
    for row in rows:
        by_cell.setdefault(Cell(**row["cell"]), []).append(row)
    return "\n".join([_HEAD, _RULE, *_lines(by_cell)])


def _lines(by_cell: dict[Cell, list[Row]]) -> Iterator[str]:
    first = by_cell.get(BASE, [])
    for group, of_group in GROUPS.items():
        # A group of which nothing but the first line was measured was not asked for.
        if any(cell in by_cell for cell in of_group if cell != BASE):
            for cell in of_group:
                if cell in by_cell:
                    yield _line(group, cell, by_cell[cell], first)


def _line(group: str, cell: Cell, rows: Sequence[Row], first: Sequence[Row]) -> str:
    by = "streams" if cell.streams else "calls"
    words = [group, cell.stages, cell.replicas, f"{cell.payload_bytes:,}", cell.delivery.replace("_", " "), by]
    done = [row["measures"] for row in rows if not row["error"]]
    if done:
        words += [f"{median(measures[key] for measures in done):,.1f}" for key in _MEASURES]
        words += [_ratio(rows, first), f"{median(measures['messages_per_s'] for measures in done):,.0f}"]
    else:
        words += ["error"] + ["-"] * (len(_MEASURES) + 1)
    return f"| {' | '.join(map(str, words))} |"


def _ratio(rows: Sequence[Row], first: Sequence[Row]) -> str:
    """Driver and replicas together, times those of the first line; the median of the ratios within the rounds."""
    base = {row["round"]: row["measures"]["cpu_us"] for row in first if not row["error"]}
    ratios = [
        row["measures"]["cpu_us"] / base[row["round"]]
        for row in rows
        if not row["error"] and base.get(row["round"], 0.0) > 0.0  # a tiny run may take less than Linux counts
    ]
    return f"{median(ratios):.2f}" if ratios else "-"


if __name__ == "__main__":
    sys.exit(main())
