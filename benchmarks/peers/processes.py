"""Bare processes that pull from one queue: `multiprocessing.Pool`, a message at a time."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing import Pool

from benchmarks.measure import Measures, throughput
from benchmarks.workloads import CPUS, SKEW, Message


def run_skew(n: int) -> Measures:
    """Skew: each process runs the three nodes, so whoever is free takes the next message."""
    with Pool(processes=CPUS) as pool:

        def run(inputs: Sequence[Message]) -> list[Message]:
            return list(pool.imap_unordered(_all_nodes, inputs, chunksize=1))

        return throughput(run, n)


def _all_nodes(message: Message) -> Message:
    first, second, third = SKEW
    return third(second(first(message)))
