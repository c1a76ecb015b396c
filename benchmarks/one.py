"""One peer, one workload, in this process: `python -m benchmarks.one WORKLOAD PEER [--n N]` prints a JSON line."""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import sys
import traceback
from typing import Any

from benchmarks.imports import time_import
from benchmarks.peers import PEERS, Peer
from benchmarks.ray_session import prepare_environment
from benchmarks.workloads import CPUS, WORKLOADS

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run it; the last line on stdout is the row, also when the peer failed.

    Returns:
        Exit status: 1 when the peer failed, else 0.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", choices=sorted(WORKLOADS))
    parser.add_argument("peer", choices=sorted(PEERS))
    parser.add_argument("--n", type=int, help="messages; unset: the size of scale 'tiny'")
    wishes = parser.parse_args(arguments)
    peer = PEERS[wishes.peer]
    if not peer.does(wishes.workload):
        parser.error(f"{peer.name} takes no part in {wishes.workload}")
    row = _row(wishes.workload, peer, wishes.n or peer.size(wishes.workload, "tiny"))
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()
    return 0 if row["error"] is None else 1


def _row(workload: str, peer: Peer, n: int) -> dict[str, Any]:
    row: dict[str, Any] = {"workload": workload, "peer": peer.name, "n": n, "measures": {}, "error": None}
    row["cpus"] = _pin()
    row["gc"] = {"is_enabled": gc.isenabled(), "threshold": gc.get_threshold(), "frozen": gc.get_freeze_count()}
    try:
        row["measures"] = _measure(workload, peer, n)
    except Exception as error:  # noqa: BLE001 - any peer may fail in its own way, and the row says how
        traceback.print_exc()
        row["error"] = f"{type(error).__name__}: {error}"[:500]
    return row


def _measure(workload: str, peer: Peer, n: int) -> dict[str, float]:
    if workload == "import":
        return time_import(peer.imports, n)
    with prepare_environment():
        module = importlib.import_module(f"benchmarks.peers.{peer.module}")
        measures: dict[str, float] = getattr(module, WORKLOADS[workload].function)(n, **peer.options)
        return measures


def _pin() -> list[int]:
    """Keep this process and its children on the first `CPUS` CPUs, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        return []
    cpus = sorted(os.sched_getaffinity(0))[:CPUS]
    os.sched_setaffinity(0, cpus)
    return cpus


if __name__ == "__main__":
    sys.exit(main())
