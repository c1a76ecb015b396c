"""All peers, all workloads, round by round: `python -m benchmarks.run` prints the table and updates README.md.

Each peer and workload gets a fresh process; within a round their order is shuffled from a seed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.host import describe, fingerprint
from benchmarks.peers import PEERS, Peer
from benchmarks.table import markdown
from benchmarks.workloads import CPUS, WORKLOADS

__all__ = ["main"]

_ROOT = Path(__file__).resolve().parent.parent
_README = _ROOT / "benchmarks" / "README.md"
_BEGIN, _END = "<!-- table: begin -->", "<!-- table: end -->"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for.

    Returns:
        Exit status: 1 when any peer failed in any round, else 0.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    wishes = _parser().parse_args(given)
    if wishes.table:
        rows = [json.loads(line) for line in wishes.table.read_text(encoding="utf-8").splitlines() if line]
    else:
        rows = _run(wishes)
    section = _section(rows)
    sys.stdout.write(section + "\n")
    if wishes.readme:
        _update_readme(section)
    return 1 if any(row["error"] for row in rows) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds; figures are medians over them (default: 5)")
    parser.add_argument("--scale", choices=("tiny", "small", "full"), default="full", help="how much work a run does")
    parser.add_argument("--only", type=_names(WORKLOADS), default=list(WORKLOADS), help="workloads, by commas")
    parser.add_argument("--peers", type=_names(PEERS), default=list(PEERS), help="peers, by commas")
    parser.add_argument("--seed", type=int, default=1, help="of the order within the rounds")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds that one process may take")
    parser.add_argument(
        "--out", type=Path, help="JSON-lines file to append to (default: benchmarks/results/DATE.jsonl)"
    )
    parser.add_argument("--table", type=Path, help="run nothing: print the table of this JSON-lines file")
    parser.add_argument("--readme", action="store_true", help="put the table into benchmarks/README.md")
    return parser


def _names(known: dict[str, Any]) -> Any:
    def names(text: str) -> list[str]:
        wanted = [name for name in text.split(",") if name]
        if strangers := [name for name in wanted if name not in known]:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(strangers)}; known are {', '.join(known)}")
        return wanted

    return names


def _run(wishes: argparse.Namespace) -> list[dict[str, Any]]:
    host = fingerprint()
    started = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    out: Path = wishes.out or _ROOT / "benchmarks" / "results" / f"{started}.jsonl"
    out.parent.mkdir(parents=True, exist_ok=True)
    command = _command(wishes)
    rows = []
    for round_number, workload, peer in _order(wishes):
        row = _one(workload, peer, peer.size(workload, wishes.scale), wishes.limit)
        row |= {"round": round_number, "scale": wishes.scale, "started": started, "command": command, "host": host}
        rows.append(row)
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        figure = row["error"] or row["measures"][WORKLOADS[workload].measure]
        sys.stderr.write(f"round {round_number} {workload} {peer.name}: {figure} [{row['wall_s']:.0f} s]\n")
    sys.stderr.write(f"rows are in {out}\n")
    return rows


def _command(wishes: argparse.Namespace) -> str:
    """The command that makes these rows again, without paths."""
    words = [
        "python -m benchmarks.run",
        f"--rounds {wishes.rounds}",
        f"--scale {wishes.scale}",
        f"--seed {wishes.seed}",
    ]
    words += [f"--only {','.join(wishes.only)}"] if wishes.only != list(WORKLOADS) else []
    words += [f"--peers {','.join(wishes.peers)}"] if wishes.peers != list(PEERS) else []
    return " ".join(words)


def _order(wishes: argparse.Namespace) -> Iterator[tuple[int, str, Peer]]:
    cells = [(workload, PEERS[name]) for workload in wishes.only for name in wishes.peers if PEERS[name].does(workload)]
    shuffler = random.Random(wishes.seed)
    for round_number in range(1, wishes.rounds + 1):
        shuffler.shuffle(cells)
        for workload, peer in cells:
            yield round_number, workload, peer


def _one(workload: str, peer: Peer, n: int, limit_s: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.one", workload, peer.name, "--n", str(n)]
    began = time.monotonic()
    process = subprocess.Popen(
        command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        stdout, stderr = process.communicate(timeout=limit_s)
        row = _parse(stdout) or {"error": f"exit status {process.returncode}: {stderr[-300:]}"}
    except subprocess.TimeoutExpired:
        _end(process)
        row = {"error": f"not done within {limit_s:g} s"}
    except BaseException:
        _end(process)
        raise
    return {"workload": workload, "peer": peer.name, "n": n, "measures": {}, **row, "wall_s": time.monotonic() - began}


def _parse(stdout: str) -> dict[str, Any] | None:
    lines = stdout.strip().splitlines()
    try:
        row = json.loads(lines[-1]) if lines else None
    except json.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None


def _end(process: subprocess.Popen[str]) -> None:
    """End a process and what it started: an interrupt, so that Ray is shut down, then a kill of its group."""
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _section(rows: Sequence[dict[str, Any]]) -> str:
    """The part of README.md between the markers."""
    first = rows[0]
    hosts = {describe(row["host"]): None for row in rows}
    collectors = sorted({json.dumps(row["gc"]) for row in rows if "gc" in row})
    conditions = (
        f"Pinned to {CPUS} cores; scale {first['scale']}, {max(row['round'] for row in rows)} round(s). "
        f"Garbage collector at the start of each process: {'; '.join(collectors) or 'unknown'}."
    )
    return "\n\n".join([f"```\n{first['command']}\n```", *hosts, conditions, markdown(rows), *_errors(rows)])


def _errors(rows: Sequence[dict[str, Any]]) -> list[str]:
    errors = {
        f"- {row['workload']}, {row['peer']}: {' '.join(row['error'].split())[:200]}" for row in rows if row["error"]
    }
    return ["Errors:\n\n" + "\n".join(sorted(errors))] if errors else []


def _update_readme(section: str) -> None:
    text = _README.read_text(encoding="utf-8")
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"README.md has no place for the table: {_BEGIN} and {_END} are missing")
    _README.write_text(f"{before}{begin}\n\n{section}\n\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
