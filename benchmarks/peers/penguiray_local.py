"""penguiray with `engine="local"`: the same flows in this process, without Ray."""

from __future__ import annotations

from benchmarks.measure import Measures
from benchmarks.peers.penguiray_flows import (
    bulk_flow,
    chain_flow,
    io_flow,
    measure_array_flow,
    measure_flow,
    measure_ping,
    skew_flow,
)


def run_chain(n: int) -> Measures:
    """Chain by `run.map`."""
    return measure_flow(chain_flow(), "local", n, moved_by=1)


def run_ping(n: int) -> Measures:
    """Ping by `run.ask`."""
    return measure_ping(chain_flow(), "local", n)


def run_skew(n: int) -> Measures:
    """Skew by `run.map`; one process, so one CPU."""
    return measure_flow(skew_flow(), "local", n)


def run_io(n: int) -> Measures:
    """Io by `run.map`."""
    return measure_flow(io_flow(), "local", n)


def run_bulk(n: int) -> Measures:
    """Bulk by `run.map`."""
    return measure_array_flow(bulk_flow(), "local", n)
