"""One peer, one workload, in this process: `python -m benchmarks.one WORKLOAD PEER [--n N]` prints a JSON line."""

from __future__ import annotations

import argparse
import importlib
import sys

from benchmarks.alone import give_row
from benchmarks.imports import time_import
from benchmarks.measure import Measures
from benchmarks.peers import PEERS, Peer
from benchmarks.ray_session import prepare_environment
from benchmarks.workloads import WORKLOADS

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run it; the last line on stdout is what it found, also when the peer failed.

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
    return give_row(lambda: _measure(wishes.workload, peer, wishes.n or peer.size(wishes.workload, "tiny")))


def _measure(workload: str, peer: Peer, n: int) -> Measures:
    if workload == "import":
        return time_import(peer.imports, n)
    with prepare_environment():
        module = importlib.import_module(f"benchmarks.peers.{peer.module}")
        measures: Measures = getattr(module, WORKLOADS[workload].function)(n, **peer.options)
        return measures


if __name__ == "__main__":
    sys.exit(main())
