"""One member of a stage: wires inbox, worker and outbox together, and holds no decision itself.

Life: 1. `open` builds the nodes' objects. 2. `run` works until `finish` or `stop`. 3. `finish` lets it end what it
holds; `stop` does not. 4. `close` calls the objects' `close()`.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from penguiray.clock import Clock
from penguiray.errors import StartError
from penguiray.graph.policies import FlowOptions
from penguiray.link.failure import CarriedError
from penguiray.link.frame import Feedback, Frame, LinkId
from penguiray.link.sender import Sender
from penguiray.link.transport import Transport
from penguiray.plan.plan import Stage
from penguiray.runtime.batch_worker import BatchWorker
from penguiray.runtime.bound import BoundNode
from penguiray.runtime.column_worker import ColumnWorker
from penguiray.runtime.executor import Executor, InlineExecutor, ThreadExecutor
from penguiray.runtime.fold_worker import FoldWorker
from penguiray.runtime.inbox import Inbox
from penguiray.runtime.outbox import Outbox
from penguiray.runtime.task_worker import TaskWorker
from penguiray.runtime.work import Bench, Worker

__all__ = ["NotOpened", "Replica"]


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


class Replica:
    """Runs one stage. All methods belong to the loop it was made for."""

    def __init__(
        self,
        stage: Stage,
        options: FlowOptions,
        transport: Transport,
        *,
        epoch: int,
        clock: Clock,
        rng: random.Random,
        on_news: Callable[[], None],
        inline: bool,
    ) -> None:
        """Wire a replica up.

        Args:
            stage: What it runs.
            options: The flow's limits.
            transport: Carries its frames to the next stages.
            epoch: Epoch of the run.
            clock: Where time comes from.
            rng: Jitter.
            on_news: Called when `outbox.take_report` has something to say.
            inline: Whether sync code may run on the loop itself, where nothing needs a thread.
        """
        self._nodes = [BoundNode(node, epoch=epoch, clock=clock) for node in stage.nodes]
        self._executor = _executor(stage, inline=inline)
        self._inbox = Inbox()
        self.sender = Sender(transport, options, epoch=epoch)
        """Links to the next stages; the shell connects them."""
        counters = {node.spec.name: node.count for node in self._nodes}
        self.outbox = Outbox(stage, self.sender, counters, on_news, retention_bytes=options.retention_bytes)
        """What it gave and has not handed over yet."""
        bench = Bench(stage, self._nodes, self._inbox, self.outbox, self._executor, clock, rng)
        self._worker = _worker(bench)

    async def open(self) -> None:
        """Build the nodes' objects.

        Raises:
            NotOpened: A constructor or `setup()` raised.
        """
        for node in self._nodes:
            try:
                await node.open(self._executor)
            except Exception as error:
                raise NotOpened(node.spec.name, node.spec.where, CarriedError.of(error)) from error

    async def run(self) -> None:
        """Work until the end."""
        await self._worker.run()

    def receive(self, frame: Frame, on_taken: Callable[[Feedback], None]) -> None:
        """Take a frame in; feedback is given when it has left the inbox."""
        sequence = frame.sequence

        def taken() -> None:
            on_taken(Feedback(sequence, self._worker.service_s))

        self._inbox.put(frame, taken)

    def refuse(self, frame: Frame, error: Exception, on_taken: Callable[[Feedback], None]) -> None:
        """Take a frame in whose values could not be decoded: its messages fail here."""
        carried = CarriedError.of(error)
        for root, message_id in zip(frame.messages.roots, frame.messages.ids, strict=True):
            self.outbox.refuse(root, message_id, carried)
        self.outbox.flush()
        on_taken(Feedback(frame.sequence, self._worker.service_s))

    def on_feedback(self, link: LinkId, feedback: Feedback) -> None:
        """A frame of this replica was taken by its receiver."""
        self.outbox.on_feedback(link, feedback)

    def finish(self) -> None:
        """No more frames will come: end what is here, then `run` returns."""
        self._inbox.close()

    def stop(self) -> None:
        """End now: what is here is not finished. The caller cancels `run`."""
        self._inbox.abandon()

    async def close(self) -> None:
        """Call the nodes' `close()`, last node first, and let the threads go."""
        try:
            for node in reversed(self._nodes):
                await node.close(self._executor)
        finally:
            self._executor.close()


def _worker(bench: Bench) -> Worker:
    last = bench.stage.last
    if bench.stage.is_fold:
        return FoldWorker(bench)
    if last.options.batch:
        return BatchWorker(bench)
    overlaps = bench.stage.concurrency > 1 or any(node.options.timeout_or_none for node in bench.stage.nodes)
    if overlaps or last.signature.is_async:
        return TaskWorker(bench)
    return ColumnWorker(bench)


def _executor(stage: Stage, *, inline: bool) -> Executor:
    is_limited = any(node.options.timeout_or_none for node in stage.nodes)
    if stage.last.signature.is_async or (inline and not is_limited):
        return InlineExecutor()
    return ThreadExecutor(stage.concurrency, name=stage.name)
