"""The peers: modules with `run_<workload>(n)` that gives measures. Listing them imports none of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from benchmarks.workloads import WORKLOADS, Scale

__all__ = ["PEERS", "Peer"]


@dataclass(frozen=True, slots=True)
class Peer:
    """One way to do the work."""

    name: str
    """Short name, for the command line and the rows."""
    title: str
    """Its line in the table."""
    module: str
    """Module under `benchmarks.peers`."""
    workloads: tuple[str, ...]
    """What it is natural for; README.md says why the rest is left out."""
    imports: str = ""
    """Statement whose time is its import workload; empty: none."""
    options: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of the functions, where several peers share a module."""
    fewer: dict[str, int] = field(default_factory=dict)
    """By what its sizes are divided, where the peer is so slow that it would hold up the round."""

    def does(self, workload: str) -> bool:
        """Whether the peer takes part in a workload."""
        return bool(self.imports) if workload == "import" else workload in self.workloads

    def size(self, workload: str, scale: Scale) -> int:
        """Messages that the peer runs."""
        n = WORKLOADS[workload].sizes[scale]
        return n if scale == "tiny" else max(1, n // self.fewer.get(workload, 1))


_PINGS = ("ping", "ping-crowd", "ping-async")

PEERS = {
    peer.name: peer
    for peer in (
        Peer("plain", "plain loop", "plain", ("chain", "skew", "io", "bulk", "keyed")),
        Peer("processes", "two bare processes", "processes", ("skew",)),
        Peer(
            "penguiflow",
            "Penguiflow",
            "penguiflow",
            ("chain", "ping", "skew", "io"),
            imports="import penguiflow",
            fewer={"chain": 10, "io": 200},
        ),
        Peer(
            "ray-actors",
            "Ray actors, a call per message",
            "ray_actors",
            ("chain", *_PINGS, "small", "skew", "io", "bulk"),
            imports="import ray",
            fewer={"chain": 20, "small": 20, "io": 10},
        ),
        Peer("ray-one", "Ray, one actor for the whole chain", "ray_one", _PINGS),
        Peer("ray-batched", "Ray actors, batched by hand", "ray_batched", ("chain", "skew", "io")),
        Peer("ray-data", "Ray Data", "ray_data", ("chain", "skew", "bulk", "keyed"), imports="import ray.data"),
        Peer(
            "ray-serve",
            "Ray Serve",
            "ray_serve",
            ("chain", *_PINGS),
            imports="from ray import serve",
            fewer={"chain": 200, "ping": 5, "ping-crowd": 5, "ping-async": 5},
        ),
        Peer(
            "penguiray-local",
            "penguiray, local",
            "penguiray_runs",
            ("chain", *_PINGS, "skew", "io", "bulk", "keyed"),
            options={"engine": "local"},
        ),
        Peer(
            "penguiray",
            "penguiray",
            "penguiray_runs",
            ("chain", *_PINGS, "skew", "io", "bulk", "keyed"),
            imports="import penguiray",
        ),
        Peer("penguiray-one", "penguiray, one replica", "penguiray_runs", ("chain",), options={"replicas": 1}),
        Peer("penguiray-two", "penguiray, two replicas", "penguiray_runs", ("chain",), options={"replicas": 2}),
        Peer("penguiray-calls", "penguiray, by calls", "penguiray_runs", _PINGS, options={"streams": False}),
        Peer(
            "penguiray-stages",
            "penguiray, three stages",
            "penguiray_runs",
            ("chain", *_PINGS, "small", "skew", "bulk"),
            options={"fuse": False},
        ),
        Peer(
            "penguiray-stages-calls",
            "penguiray, three stages, by calls",
            "penguiray_runs",
            (*_PINGS, "small"),
            options={"fuse": False, "streams": False},
        ),
        Peer("penguiray-keys", "penguiray, by key", "penguiray_keys", ("keyed",)),
    )
}
