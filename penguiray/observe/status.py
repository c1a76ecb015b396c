"""What a run does, as one frozen value that every view renders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from penguiray.draw import html
from penguiray.draw.amounts import counted
from penguiray.draw.text import escaped
from penguiray.link.report import NodeCount
from penguiray.plan.plan import Plan

__all__ = ["NodeStatus", "Status", "status_of"]


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What one node did, over all its replicas."""

    name: str
    """Name of the node."""
    stage: str
    """Name of the stage that it runs in, which it shares with the nodes fused with it."""
    replicas: int
    """Replicas of the stage."""
    taken: int
    """Messages that entered the node."""
    given: int
    """Messages that it gave."""
    failed: int
    """Messages that it gave up on."""
    retried: int
    """Attempts after a message's first."""
    rate_per_s: float
    """Messages that entered, a second, since the run was ready."""
    busy: float
    """Share of its calls' places that were in use since the run was ready: 1.0 is all of them, all the time. With
    `concurrency="auto"` it is of the mean number of places."""
    longest_call_s: float = 0.0
    """Seconds that its longest call under way had taken at the last look, every 10 s or so; 0: there was none."""
    places: int = 0
    """Calls that all its replicas may run at the same time now."""
    hedged: int = 0
    """Second calls of a message whose first call took much longer than others, where the node is idempotent."""


@dataclass(frozen=True, slots=True)
class Status:
    """What a run did so far."""

    name: str
    """Name of the run."""
    state: str
    """starting, running, draining, stopped or failed."""
    seconds: float
    """Time since the run was ready, up to its end."""
    inputs_live: int
    """Inputs under way."""
    inputs_done: int
    """Inputs that have ended, well or not."""
    dead_letters: int
    """Messages that nodes gave up on."""
    nodes: tuple[NodeStatus, ...]
    """The nodes, in the plan's order."""

    @property
    def _headline(self) -> str:
        return (
            f"{self.name}: {self.state}, {counted(self.inputs_done, 'input')} done, {self.inputs_live:,} under way, "
            f"{counted(self.dead_letters, 'dead letter')}, {self.seconds:.1f} s"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: a table of the nodes."""
        head = ("node", "replicas", "in", "out", "failed", "retried", "hedged", "in/s", "busy", "longest")
        rows = [
            (node.name, node.replicas, node.taken, node.given, node.failed, node.retried, node.hedged,
             node.rate_per_s, f"{node.busy:.0%}", f"{node.longest_call_s:,.1f} s")
            for node in self.nodes
        ]  # fmt: skip
        return html.lines(escaped(self._headline), html.table(head, rows))

    def __str__(self) -> str:
        lines = [
            self._headline,
            (
                f"  {'node':<20} {'replicas':>8} {'in':>9} {'out':>9} {'failed':>6} {'retried':>7} {'hedged':>6} "
                f"{'in/s':>9} {'busy':>5} {'longest':>9}"
            ),
        ]
        lines += [
            f"  {node.name:<20} {node.replicas:>8} {node.taken:>9} {node.given:>9} {node.failed:>6} "
            f"{node.retried:>7} {node.hedged:>6} {node.rate_per_s:>9,.1f} {node.busy:>5.0%} "
            f"{node.longest_call_s:>7,.1f} s"
            for node in self.nodes
        ]
        return "\n".join(lines)


def status_of(
    plan: Plan,
    counts: Mapping[str, NodeCount],
    *,
    state: str,
    seconds: float,
    inputs_live: int,
    inputs_done: int,
    dead_letters: int,
    longest_s: Mapping[str, float],
) -> Status:
    """Put a status together from what the replicas have reported; `longest_s` is the longest call of each node."""
    nodes = []
    for stage in plan.stages:
        for node in stage.nodes:
            count = counts[node.name]
            places = count.place_s / count.watched_s if count.watched_s else stage.concurrency
            busy = min(1.0, count.busy_s / (max(seconds, 1e-9) * stage.replicas * places))
            rate = count.taken / max(seconds, 1e-9)
            nodes.append(
                NodeStatus(
                    node.name, stage.name, stage.replicas, count.taken, count.given, count.failed, count.retried, rate,
                    busy, longest_s.get(node.name, 0.0), count.places or stage.replicas * stage.concurrency,
                    count.hedged,
                )
            )  # fmt: skip
    return Status(plan.name, state, seconds, inputs_live, inputs_done, dead_letters, tuple(nodes))
