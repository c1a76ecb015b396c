"""One member of a stage: wires inbox, worker and outbox together, and holds no decision itself.

Life: 1. `set_up_host` prepares the host, in one replica for all that are there. 2. `open` builds the nodes' objects.
3. `run` works until `finish` or `stop`. 4. `finish` lets it end what it holds; `stop` does not. 5. `close` calls the
objects' `close()`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Awaitable, Callable, Container, Sequence
from functools import partial

from penguiray.clock import Clock
from penguiray.errors import StartError
from penguiray.graph.inside import CallKind, enter_node
from penguiray.graph.policies import FlowOptions
from penguiray.link.failure import CarriedError
from penguiray.link.frame import Feedback, Frame, Kind, LinkId
from penguiray.link.ids import first_call
from penguiray.link.message import Messages
from penguiray.link.peers import Held
from penguiray.link.running import RunningCall
from penguiray.link.sender import Sender
from penguiray.link.transport import Transport
from penguiray.plan.plan import Stage
from penguiray.runtime.batch_worker import BatchWorker
from penguiray.runtime.bound import BoundNode
from penguiray.runtime.cancelled import Cancelled
from penguiray.runtime.column_worker import ColumnWorker
from penguiray.runtime.executor import Executor, InlineExecutor, ThreadExecutor
from penguiray.runtime.fold_worker import FoldWorker
from penguiray.runtime.inbox import Inbox
from penguiray.runtime.join_worker import JoinWorker
from penguiray.runtime.outbox import Outbox
from penguiray.runtime.permits import Permits, RateKeeper
from penguiray.runtime.rate import Grant
from penguiray.runtime.task_worker import TaskWorker
from penguiray.runtime.work import Bench, Worker

__all__ = ["AskFirst", "NotOpened", "Replica"]

AskFirst = Callable[[int, int, int], Awaitable[Grant]]
"""Asks replica 0: place of the node in the stage, calls begun, calls that wait."""


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
    """Runs one stage. All methods belong to its loop; `open`, `run` and `close` are called in tasks of their own."""

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
        ask_first: AskFirst | None = None,
        own_epoch: int = 0,
        is_successor: bool = False,
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
            ask_first: Asks replica 0 of the stage for permits of the node at a place of the stage. None: this is it.
            own_epoch: Epoch of what it sends.
            is_successor: Whether it takes the place of one that was lost.
        """
        self._cancelled = Cancelled()
        self._nodes = [
            BoundNode(node, epoch=epoch, clock=clock, destinations=stage.destinations, cancelled=self._cancelled)
            for node in stage.nodes
        ]
        self.rates: dict[int, RateKeeper] = {}
        """Counts of the nodes that have a rate, by their places in the stage, if this is replica 0 of the stage."""
        self._limit_rates(ask_first, clock, rng, is_successor=is_successor)
        self._executor = _executor(stage, inline=inline)
        self._kind: CallKind = "async" if stage.last.signature.is_async else "sync"
        overlaps = stage.concurrency > 1 or any(node.options.retry_or_none for node in stage.nodes)
        gathers = stage.is_fold or stage.is_join
        self._inbox = Inbox(one_of_a_key=overlaps and not gathers, on_suspect=None if gathers else self._begin)
        self.refused: Container[int] = ()
        """Epochs of senders that were replaced, of which nothing is taken."""
        self.sender = Sender(transport, options, epoch=own_epoch or epoch, source=stage.index)
        """Links to the next stages; see `connect`."""
        self._stage = stage
        counters = {node.spec.name: node.count for node in self._nodes}
        self.outbox = Outbox(
            stage,
            self.sender,
            counters,
            self._cancelled,
            on_news,
            clock=clock,
            has_more=_never if inline else lambda: self._worker.has_more,
            retention_bytes=options.retention_bytes,
            on_end=self._inbox.end if self._inbox.one_of_a_key else None,
            on_known=self._inbox.note_known,
        )
        """What it gave and has not handed over yet."""
        bench = Bench(stage, self._nodes, self._inbox, self.outbox, self._cancelled, self._executor, clock, rng)
        self._worker = _worker(bench)

    def _begin(self, root: int, message_id: int) -> None:
        """A message that replicas may die of is next: what ends is told to the inbox from now on."""
        self.outbox.on_end = self._inbox.end
        self.outbox.note_begun(root, message_id)

    def connect(self, target: int, replicas: int) -> None:
        """Say how many replicas a stage has that this one leads to."""
        is_back = any(edge.back is not None for edge in self._stage.edges if edge.target == target)
        self.sender.connect(target, replicas, is_back=is_back)

    def _limit_rates(self, ask_first: AskFirst | None, clock: Clock, rng: random.Random, *, is_successor: bool) -> None:
        for place, node in enumerate(self._nodes):
            rate = node.spec.options.rate_or_none
            if rate is None:
                continue
            if ask_first is None:
                self.rates[place] = RateKeeper(rate, clock, is_successor=is_successor)
            ask = self.rates[place].ask_here if ask_first is None else partial(ask_first, place)
            node.permits = Permits(node.spec.name, rate, ask, clock, rng)

    async def set_up_host(self) -> None:
        """Call the nodes' `setup_host()`, for all replicas of the stage on this host.

        Raises:
            NotOpened: One of them raised.
        """
        for node in self._nodes:
            await _opened(node, node.set_up_host(self._executor))

    async def open(self) -> None:
        """Build the nodes' objects.

        Raises:
            NotOpened: A constructor or `setup()` raised.
        """
        enter_node(self._kind)
        for node in self._nodes:
            await _opened(node, node.open(self._executor))

    async def run(self) -> None:
        """Work until the end."""
        enter_node(self._kind)
        pumps = [node.permits.run() for node in self._nodes if node.permits is not None]
        if not pumps:
            await self._worker.run()
            return
        tasks = [asyncio.create_task(one) for one in (self._worker.run(), *pumps)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in done:
            await task

    def running(self) -> list[RunningCall]:
        """The calls that are under way; may be asked from any one thread, also while the loop is held up."""
        return [call for node in self._nodes for call in node.running.look()]

    def receive(self, frame: Frame, on_taken: Callable[[Feedback], None]) -> None:
        """Take a frame in; feedback is given when it has left the inbox."""
        sequence = frame.sequence
        if frame.epoch in self.refused:
            on_taken(Feedback(sequence, 0.0))
            return
        if self._cancelled.has_any and frame.kind.is_data:
            frame = dataclasses.replace(frame, messages=frame.messages.without(self._cancelled))

        def taken() -> None:
            on_taken(Feedback(sequence, self._worker.service_s))

        self._inbox.put(frame, taken)

    def note_cancelled(self, roots: Sequence[int], calls: Sequence[int]) -> None:
        """Single inputs, and all of whole calls, are given up; from any thread. `drop_cancelled` is due then."""
        self._cancelled.add(roots, calls)

    def drop_cancelled(self) -> None:
        """Drop what waits of inputs that were given up, and cancel async code that works on them."""
        self._inbox.drop(self._cancelled)
        self.outbox.drop_cancelled()
        self._worker.cancel()

    def held(self) -> Held:
        """How many reports tell of all that is finished by now, and the ids of the messages that it holds besides."""
        return self.outbox.told, [*self._inbox.held(), *self._worker.held(), *self.outbox.held()]

    def attach(self, ingress: int, on_news: Callable[[], None]) -> None:
        """Keep news apart for one more process that sends inputs; see `Outbox.attach`."""
        self.outbox.attach(ingress, on_news)

    def detach(self, ingress: int) -> None:
        """Give up all that such a process has sent, and keep no more news for it."""
        self._cancelled.add_ingress(ingress)
        self.drop_cancelled()
        self.outbox.detach(ingress)
        if self._stage.is_fold:
            forget = Frame(LinkId(self._stage.index, 0), 0, 0, Kind.FORGET, Messages([], [], []), first_call(ingress))
            self._inbox.put(forget, _nothing)

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
        enter_node(self._kind)
        try:
            for node in reversed(self._nodes):
                await node.close(self._executor)
        finally:
            self._executor.close()


async def _opened(node: BoundNode, step: Awaitable[None]) -> None:
    try:
        await step
    except Exception as error:
        raise NotOpened(node.spec.name, node.spec.where, CarriedError.of(error)) from error


def _never() -> bool:
    """Where code runs inline it would keep the loop from sending later, and sending costs next to nothing."""
    return False


def _nothing() -> None:
    """Nobody waits for the word to be taken."""


def _worker(bench: Bench) -> Worker:
    last = bench.stage.last
    if bench.stage.is_fold:
        return FoldWorker(bench)
    if bench.stage.is_join:
        return JoinWorker(bench)
    if last.options.batch:
        return BatchWorker(bench)
    limits = (node.options.timeout_or_none or node.options.rate_or_none for node in bench.stage.nodes)
    overlaps = bench.stage.concurrency > 1 or any(limits)
    if overlaps or last.signature.is_async:
        return TaskWorker(bench)
    return ColumnWorker(bench)


def _executor(stage: Stage, *, inline: bool) -> Executor:
    is_limited = any(node.options.timeout_or_none for node in stage.nodes)
    if stage.last.signature.is_async or (inline and not is_limited):
        return InlineExecutor()
    return ThreadExecutor(stage.concurrency, name=stage.name)
