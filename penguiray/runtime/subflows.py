"""The flows that a node asks: each runs in the node's replica, from the first time it is asked until the node ends."""

from __future__ import annotations

import threading
from typing import Any

from penguiray.errors import FlowError
from penguiray.graph.subflow import Subflow, Subrun

__all__ = ["Subflows"]

_LIMIT = 32
"""Flows that one node may ask. More are a sign that they are built in the calls, and never end."""


class Subflows:
    """Runs on the local engine, one for each flow; used from the threads of all calls of a node."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._lock = threading.Lock()
        self._runs: dict[int, tuple[Subflow[Any, Any], Subrun[Any, Any]]] = {}

    def run_of(self, flow: Subflow[Any, Any]) -> Subrun[Any, Any]:
        """The run of a flow, started now if need be.

        Raises:
            FlowError: It is no flow, or the node asks too many.
        """
        with self._lock:
            if id(flow) not in self._runs:
                self._check(flow)
                self._runs[id(flow)] = (flow, flow.start(engine="local"))  # the flow is kept, so its id stays its own
            return self._runs[id(flow)][1]

    def _check(self, flow: Any) -> None:
        if not hasattr(flow, "start"):
            raise FlowError(f"node {self._node!r}: ctx.ask takes a pr.Flow, not {flow!r}", node=self._node)
        if len(self._runs) >= _LIMIT:
            raise FlowError(
                f"node {self._node!r}: has asked {_LIMIT} flows; build a flow once, outside the function or in the "
                f"constructor, not in each call",
                node=self._node,
            )

    async def close(self) -> None:
        """End all of them; what they still work on fails."""
        with self._lock:
            runs = [run for _, run in self._runs.values()]
            self._runs.clear()
        for run in reversed(runs):
            await run.astop()
