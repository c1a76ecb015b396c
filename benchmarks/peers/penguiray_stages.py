"""penguiray on Ray with `fuse=False`: each node is a stage of its own, so every message makes three hops."""

from __future__ import annotations

from benchmarks.measure import Measures
from benchmarks.peers.penguiray_flows import (
    bulk_flow,
    chain_flow,
    measure_array_flow,
    measure_flow,
    measure_ping,
    skew_flow,
)
from benchmarks.ray_session import ray_session


def run_chain(n: int) -> Measures:
    """Chain by `run.map`."""
    with ray_session():
        return measure_flow(chain_flow(fuse=False), "ray", n, moved_by=1)


def run_ping(n: int) -> Measures:
    """Ping by `run.ask`."""
    with ray_session():
        return measure_ping(chain_flow(fuse=False), "ray", n)


def run_skew(n: int) -> Measures:
    """Skew by `run.map`."""
    with ray_session():
        return measure_flow(skew_flow(fuse=False), "ray", n)


def run_bulk(n: int) -> Measures:
    """Bulk by `run.map`."""
    with ray_session():
        return measure_array_flow(bulk_flow(fuse=False), "ray", n)
