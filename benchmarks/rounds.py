"""Rounds of measurements, each in a fresh process: their options, their order, their rows, their place in README.md."""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks.alone import Row
from benchmarks.host import describe, fingerprint
from benchmarks.workloads import CPUS

__all__ = ["add_options", "command_of", "names_in", "read_rows", "run_rounds", "section", "update_readme"]

C = TypeVar("C")
"""What is measured in one process."""

_HERE = Path(__file__).resolve().parent
_README = _HERE / "README.md"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every run in rounds."""
    parser.add_argument("--rounds", type=int, default=5, help="rounds; figures are medians over them (default: 5)")
    parser.add_argument("--scale", choices=("tiny", "small", "full"), default="full", help="how much work a run does")
    parser.add_argument("--seed", type=int, default=1, help="of the order within the rounds")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds that one process may take")
    parser.add_argument(
        "--out", type=Path, help="JSON-lines file to append to (default: benchmarks/results/DATE.jsonl)"
    )
    parser.add_argument("--table", type=Path, help="run nothing: print the table of this JSON-lines file")
    parser.add_argument("--readme", action="store_true", help="put the table into benchmarks/README.md")


def names_in(known: Collection[str]) -> Callable[[str], list[str]]:
    """A type of argument: some of these names, by commas."""

    def names(text: str) -> list[str]:
        wanted = [name for name in text.split(",") if name]
        if strangers := [name for name in wanted if name not in known]:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(strangers)}; known are {', '.join(known)}")
        return wanted

    return names


def command_of(wishes: argparse.Namespace, module: str) -> list[str]:
    """Words of the command that makes these rows again, without paths."""
    return [
        f"python -m {module}",
        f"--rounds {wishes.rounds}",
        f"--scale {wishes.scale}",
        f"--seed {wishes.seed}",
    ]


def run_rounds(
    wishes: argparse.Namespace, cells: Sequence[C], command: str, run: Callable[[C], Row], show: Callable[[Row], str]
) -> list[Row]:
    """Run all cells once a round, in an order shuffled from the seed, and append each row to the file at once.

    Args:
        wishes: The options.
        cells: What is measured.
        command: Goes into the rows.
        run: Measures one of them.
        show: Says a row's figure in a line, for who waits.
    """
    host = fingerprint()
    started = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    out: Path = wishes.out or _HERE / "results" / f"{started}.jsonl"
    out.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for round_number, cell in _order(wishes, cells):
        row = run(cell)
        row |= {"round": round_number, "scale": wishes.scale, "started": started, "command": command, "host": host}
        rows.append(row)
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        sys.stderr.write(f"round {round_number} {show(row)} [{row['wall_s']:.0f} s]\n")
    sys.stderr.write(f"rows are in {out}\n")
    return rows


def read_rows(path: Path) -> list[Row]:
    """The rows of an earlier run."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def _order(wishes: argparse.Namespace, cells: Sequence[C]) -> Iterator[tuple[int, C]]:
    shuffled, shuffler = list(cells), random.Random(wishes.seed)
    for round_number in range(1, wishes.rounds + 1):
        shuffler.shuffle(shuffled)
        for cell in shuffled:
            yield round_number, cell


def section(rows: Sequence[Row], tables: str, name: Callable[[Row], str]) -> str:
    """Commands, host, conditions, tables and errors, as README.md has them; `name` says what a row is of."""
    first = rows[0]
    hosts = {describe(row["host"]): None for row in rows}
    collectors = sorted({json.dumps(row["gc"]) for row in rows if "gc" in row})
    conditions = (
        f"Pinned to {CPUS} cores; scale {first['scale']}, {max(row['round'] for row in rows)} round(s). "
        f"Garbage collector at the start of each process: {'; '.join(collectors) or 'unknown'}."
    )
    commands = "\n".join({row["command"]: None for row in rows})
    return "\n\n".join([f"```\n{commands}\n```", *hosts, conditions, tables, *_errors(rows, name)])


def _errors(rows: Sequence[Row], name: Callable[[Row], str]) -> list[str]:
    errors = {f"- {name(row)}: {' '.join(row['error'].split())[:200]}" for row in rows if row["error"]}
    return ["Errors:\n\n" + "\n".join(sorted(errors))] if errors else []


def update_readme(text: str, place: str) -> None:
    """Put a section between the markers of that name.

    Raises:
        ValueError: The markers are missing.
    """
    begin, end = f"<!-- {place}: begin -->", f"<!-- {place}: end -->"
    before, found, rest = _README.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"README.md has no place for the {place}: {begin} and {end} are missing")
    _README.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")
