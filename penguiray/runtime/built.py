"""A stage's nodes and the worker that calls them: what another one takes the place of when a node is updated."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Sequence
from itertools import pairwise

from penguiray.clock import Clock
from penguiray.errors import StartError
from penguiray.graph.inside import CallKind, enter_node
from penguiray.link.failure import CarriedError
from penguiray.link.running import RunningCall
from penguiray.plan.plan import Stage
from penguiray.runtime.batch_worker import BatchWorker
from penguiray.runtime.bound import BoundNode
from penguiray.runtime.cancelled import Cancelled
from penguiray.runtime.column_worker import ColumnWorker
from penguiray.runtime.executor import Executor, InlineExecutor, ThreadExecutor
from penguiray.runtime.fold_worker import FoldWorker
from penguiray.runtime.home import Home
from penguiray.runtime.inbox import Inbox
from penguiray.runtime.join_worker import JoinWorker
from penguiray.runtime.outbox import Outbox
from penguiray.runtime.task_worker import TaskWorker
from penguiray.runtime.work import Bench, Worker

__all__ = ["BuiltStage", "NotOpened"]


class NotOpened(Exception):
    """A node's constructor or `setup()` raised; carries that to whoever waits for the replica."""

    def __init__(self, node: str, where: str, error: CarriedError) -> None:
        super().__init__(node, where, error)
        self.node = node
        self.where = where
        self.error = error

    def as_start_error(self, which: str = "") -> StartError:
        """What the caller is told, with the user's exception as its cause; `which` tells replicas apart."""
        told = StartError(f"node {self.node!r} ({self.where}) did not start{which}: {self.error}", node=self.node)
        told.__cause__ = self.error.restore()
        return told


class BuiltStage:
    """The nodes of a replica, where their code runs, and who calls them."""

    def __init__(
        self,
        stage: Stage,
        nodes: Sequence[BoundNode],
        inbox: Inbox,
        outbox: Outbox,
        cancelled: Cancelled,
        *,
        clock: Clock,
        rng: random.Random,
        inline: bool,
        home: Home | None,
    ) -> None:
        """Put the worker together; `open` builds the nodes' objects.

        Args:
            stage: What it runs.
            nodes: Its nodes.
            inbox: Where messages come from.
            outbox: Where outputs go.
            cancelled: Inputs that were given up.
            clock: Where time comes from.
            rng: Jitter.
            inline: Whether sync code may run on the loop itself, where nothing needs a thread.
            home: Where sync code may run, one call at a time. None: in threads of its own.
        """
        self.nodes = nodes
        """In the order in which they feed each other."""
        for node, behind in pairwise(nodes):
            node.shedding.behind_s = behind.shedding.rest_s
        self._executor = _executor(stage, inline=inline, home=home)
        self.kind: CallKind = "async" if stage.last.signature.is_async else "sync"
        """How its code is called."""
        self.worker: Worker = _worker(Bench(stage, nodes, inbox, outbox, cancelled, self._executor, clock, rng))
        """Takes messages off the inbox and calls the nodes."""

    @property
    def rest_s(self) -> float:
        """What a message with a deadline typically takes from here to its end, in seconds; 0 while it is not known."""
        shedding = self.nodes[0].shedding
        return shedding.rest_s() if shedding.typical_s else 0.0

    async def set_up_host(self) -> None:
        """Call the nodes' `setup_host()`, for all replicas of the stage on this host.

        Raises:
            NotOpened: One of them raised.
        """
        for node in self.nodes:
            if not node.is_open:
                await _opened(node, node.set_up_host(self._executor))

    async def open(self) -> None:
        """Build the objects of the nodes that are not open yet.

        Raises:
            NotOpened: A constructor or `setup()` raised.
        """
        enter_node(self.kind)
        for node in self.nodes:
            if not node.is_open:
                await _opened(node, node.open(self._executor))

    def running(self) -> list[RunningCall]:
        """The calls that are under way; may be asked from any one thread, also while the loop is held up."""
        return [call for node in self.nodes for call in node.running.look()]

    async def close(self, *, but: Sequence[BoundNode] = ()) -> None:
        """Call the nodes' `close()`, last node first, but for those that another version has; let the threads go."""
        enter_node(self.kind)
        try:
            for node in reversed(self.nodes):
                if node not in but:
                    await node.close(self._executor)
        finally:
            self._executor.close()


async def _opened(node: BoundNode, step: Awaitable[None]) -> None:
    try:
        await step
    except Exception as error:
        raise NotOpened(node.spec.name, node.spec.where, CarriedError.of(error)) from error


def _worker(bench: Bench) -> Worker:
    last = bench.stage.last
    if bench.stage.is_fold:
        return FoldWorker(bench)
    if bench.stage.is_join:
        return JoinWorker(bench)
    if last.options.batch:
        return BatchWorker(bench)
    return ColumnWorker(bench) if _is_columns(bench.stage) else TaskWorker(bench)


def _is_columns(stage: Stage) -> bool:
    """Whether plain sync code is called with one message at a time, and never left to itself."""
    limits = (node.options.timeout_or_none or node.options.rate_or_none for node in stage.nodes)
    gathers = stage.is_fold or stage.is_join or stage.last.options.batch
    return not (gathers or stage.concurrency > 1 or any(limits) or stage.last.signature.is_async)


def _executor(stage: Stage, *, inline: bool, home: Home | None) -> Executor:
    is_limited = any(node.options.timeout_or_none for node in stage.nodes)
    if stage.last.signature.is_async or (inline and not is_limited):
        return InlineExecutor("async" if stage.last.signature.is_async else "sync")
    return ThreadExecutor(stage.concurrency, stage.name, home if _is_columns(stage) else None)
