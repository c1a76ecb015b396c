"""All peers, all workloads, round by round: `python -m benchmarks.run` prints the table and updates README.md.

Each peer and workload gets a fresh process; within a round their order is shuffled from a seed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.alone import Row, run_alone
from benchmarks.peers import PEERS, Peer
from benchmarks.rounds import add_options, command_of, names_in, read_rows, run_rounds, section, update_readme
from benchmarks.table import markdown
from benchmarks.workloads import WORKLOADS

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for.

    Returns:
        Exit status: 1 when any peer failed in any round, else 0.
    """
    wishes = _parser().parse_args(arguments)
    rows = read_rows(wishes.table) if wishes.table else _run(wishes)
    text = section(rows, markdown(rows), _name)
    sys.stdout.write(text + "\n")
    if wishes.readme:
        update_readme(text, "table")
    return 1 if any(row["error"] for row in rows) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--only", type=names_in(WORKLOADS), default=list(WORKLOADS), help="workloads, by commas")
    parser.add_argument("--peers", type=names_in(PEERS), default=list(PEERS), help="peers, by commas")
    return parser


def _run(wishes: argparse.Namespace) -> list[Row]:
    cells = [(workload, PEERS[name]) for workload in wishes.only for name in wishes.peers if PEERS[name].does(workload)]

    def run(cell: tuple[str, Peer]) -> Row:
        workload, peer = cell
        n = peer.size(workload, wishes.scale)
        row = run_alone("benchmarks.one", [workload, peer.name, "--n", str(n)], wishes.limit)
        return {"workload": workload, "peer": peer.name, "n": n, **row}

    return run_rounds(wishes, cells, _command(wishes), run, _shown)


def _command(wishes: argparse.Namespace) -> str:
    words = command_of(wishes, "benchmarks.run")
    words += [f"--only {','.join(wishes.only)}"] if wishes.only != list(WORKLOADS) else []
    words += [f"--peers {','.join(wishes.peers)}"] if wishes.peers != list(PEERS) else []
    return " ".join(words)


def _shown(row: Row) -> str:
    return f"{row['workload']} {row['peer']}: {row['error'] or row['measures'][WORKLOADS[row['workload']].measure]}"


def _name(row: Row) -> str:
    return f"{row['workload']}, {row['peer']}"


if __name__ == "__main__":
    sys.exit(main())
