"""One member of a stage: wires inbox, worker and outbox together, and holds no decision itself.

Life: 1. `set_up_host` prepares the host, in one replica for all that are there. 2. `open` builds the nodes' objects.
3. `run` works until `finish` or `stop`; meanwhile another version of the nodes may be loaded, opened, and switched to.
4. `finish` lets it end what it holds; `stop` does not. 5. `close` calls the objects' `close()`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Container, Sequence
from functools import partial

from penguiray.clock import Clock
from penguiray.graph.inside import enter_node
from penguiray.graph.policies import FlowOptions
from penguiray.link.failure import CarriedError
from penguiray.link.frame import Feedback, Frame, Kind, LinkId
from penguiray.link.ids import first_call
from penguiray.link.message import Messages
from penguiray.link.peers import Held
from penguiray.link.report import NodeCount
from penguiray.link.running import RunningCall
from penguiray.link.sender import Sender
from penguiray.link.transport import Transport
from penguiray.plan.plan import Stage
from penguiray.runtime.bound import BoundNode
from penguiray.runtime.built import BuiltStage
from penguiray.runtime.cancelled import Cancelled
from penguiray.runtime.home import Home
from penguiray.runtime.inbox import Inbox
from penguiray.runtime.outbox import Outbox
from penguiray.runtime.permits import Permits, RateKeeper
from penguiray.runtime.rate import Grant

__all__ = ["AskFirst", "Replica"]

_CLOSE_S = 3.0
"""How long the end of an update waits for the `close()` of the version before."""

AskFirst = Callable[[int, int, int], Awaitable[Grant]]
"""Asks replica 0: place of the node in the stage, calls begun, calls that wait."""


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
        home: Home | None = None,
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
            rng: Jitter, and draws among the replicas of the next stages.
            on_news: Called when `outbox.take_report` has something to say.
            inline: Whether sync code may run on the loop itself, where nothing needs a thread.
            home: The thread that runs its loop, if sync code may run there. None: that has threads of its own.
            ask_first: Asks replica 0 of the stage for permits of the node at a place of the stage. None: this is it.
            own_epoch: Epoch of what it sends.
            is_successor: Whether it takes the place of one that was lost.
        """
        self._cancelled = Cancelled()
        self._stage = stage
        self._epoch, self._clock, self._rng, self._inline = epoch, clock, rng, inline
        self.rates: dict[int, RateKeeper] = {}
        """Counts of the nodes that have a rate, by their places in the stage, if this is replica 0 of the stage."""
        self._permits: dict[int, Permits] = {}
        self._limit_rates(ask_first, is_successor=is_successor)
        overlaps = stage.concurrency > 1 or any(node.options.retry_or_none for node in stage.nodes)
        gathers = stage.is_fold or stage.is_join
        self._inbox = Inbox(one_of_a_key=overlaps and not gathers, on_suspect=None if gathers else self._begin)
        self.refused: Container[int] = ()
        """Epochs of senders that were replaced, of which nothing is taken."""
        self.sender = Sender(transport, options, epoch=own_epoch or epoch, clock=clock, rng=rng, source=stage.index)
        """Links to the next stages; see `connect`."""
        self._counts = {node.name: NodeCount() for node in stage.nodes}
        self.outbox = Outbox(
            stage,
            self.sender,
            self._counts,
            self._cancelled,
            on_news,
            clock=clock,
            has_more=_never if inline else lambda: self._built.worker.has_more,
            retention_bytes=options.retention_bytes,
            on_end=self._inbox.end if self._inbox.one_of_a_key else None,
            on_known=self._inbox.note_known,
        )
        """What it gave and has not handed over yet."""
        self._built = self._build(stage, [self._bound(stage, place) for place in range(len(stage.nodes))], home)
        self._next: BuiltStage | None = None
        self._is_building = False
        self._has_switched = asyncio.Event()
        self._closings: set[asyncio.Task[None]] = set()

    def _bound(self, stage: Stage, place: int) -> BoundNode:
        """A node of a version of the stage: counts and permits are the same for all of them."""
        node = stage.nodes[place]
        return BoundNode(
            node,
            epoch=self._epoch,
            clock=self._clock,
            destinations=stage.destinations,
            cancelled=self._cancelled,
            count=self._counts[node.name],
            permits=self._permits.get(place),
        )

    def _build(self, stage: Stage, nodes: Sequence[BoundNode], home: Home | None = None) -> BuiltStage:
        nodes[-1].shedding.behind_s = lambda: self.sender.rest_s
        return BuiltStage(
            stage, nodes, self._inbox, self.outbox, self._cancelled,
            clock=self._clock, rng=self._rng, inline=self._inline, home=home,
        )  # fmt: skip

    def _begin(self, root: int, message_id: int) -> None:
        """A message that replicas may die of is next: what ends is told to the inbox from now on."""
        self.outbox.on_end = self._inbox.end
        self.outbox.note_begun(root, message_id)

    def connect(self, target: int, replicas: int) -> None:
        """Say how many replicas a stage has that this one leads to."""
        is_back = any(edge.back is not None for edge in self._stage.edges if edge.target == target)
        self.sender.connect(target, replicas, is_back=is_back)

    def _limit_rates(self, ask_first: AskFirst | None, *, is_successor: bool) -> None:
        for place, node in enumerate(self._stage.nodes):
            rate = node.options.rate_or_none
            if rate is None:
                continue
            if ask_first is None:
                self.rates[place] = RateKeeper(rate, self._clock, is_successor=is_successor)
            ask = self.rates[place].ask_here if ask_first is None else partial(ask_first, place)
            self._permits[place] = Permits(node.name, rate, ask, self._clock, self._rng)

    async def set_up_host(self) -> None:
        """See `BuiltStage.set_up_host`."""
        await self._built.set_up_host()

    async def open(self) -> None:
        """See `BuiltStage.open`."""
        await self._built.open()

    async def run(self) -> None:
        """Work until the end."""
        enter_node(self._built.kind)
        pumps = [permits.run() for permits in self._permits.values()]
        if not pumps:
            await self._work()
            return
        tasks = [asyncio.create_task(one) for one in (self._work(), *pumps)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in done:
            await task

    async def _work(self) -> None:
        while True:
            await self._built.worker.run()
            if self._next is None or not self._inbox.is_paused:
                return
            self._built, self._next = self._next, None
            self._inbox.resume()
            self._has_switched.set()

    # -- another version of its nodes

    def load(self, stage: Stage, name: str) -> None:
        """Get another version of a node, which `set_up_next_host` and `open_next` build beside the present one.

        Args:
            stage: The stage with it.
            name: The node. The others go on with the objects that they have.
        """
        self.drop_next()
        nodes = list(self._built.nodes)
        place = next(place for place, node in enumerate(nodes) if node.spec.name == name)
        nodes[place] = self._bound(stage, place)
        self._next = self._build(stage, nodes)

    async def set_up_next_host(self) -> None:
        """Call `setup_host()` of the next version; see `BuiltStage.set_up_host`."""
        await self._on_next(lambda following: following.set_up_host())

    async def open_next(self) -> None:
        """Build the nodes' objects of the next version; see `BuiltStage.open`."""
        await self._on_next(lambda following: following.open())

    async def _on_next(self, step: Callable[[BuiltStage], Awaitable[None]]) -> None:
        following = self._next
        assert following is not None, "no version was loaded"
        self._is_building = True
        try:
            await step(following)
        finally:
            self._is_building = False
            if self._next is not following:  # it was dropped meanwhile
                self._close_soon(following)

    async def switch(self) -> None:
        """Go on with the next version once what is under way is finished; the present one is closed then.

        Its `close()` is waited for only for a while: a function that overran its time may hold its thread.
        """
        assert self._next is not None, "no version was loaded"
        before = self._built
        self._has_switched.clear()
        self._inbox.pause()
        await self._has_switched.wait()
        await asyncio.wait([self._close_soon(before)], timeout=_CLOSE_S)

    def drop_next(self) -> None:
        """Go on as before: the next version will not be used. One that is just being built is closed after that."""
        dropped, self._next = self._next, None
        if dropped is not None and not self._is_building:
            self._close_soon(dropped)

    def _close_soon(self, built: BuiltStage) -> asyncio.Task[None]:
        """Close a version, but for the nodes that the present one shares with it."""
        task = asyncio.get_running_loop().create_task(self._close_version(built))
        self._closings.add(task)
        task.add_done_callback(self._closings.discard)
        return task

    async def _close_version(self, built: BuiltStage) -> None:
        try:
            await built.close(but=self._built.nodes)
        except Exception as error:  # noqa: BLE001 - the border to user code: the run goes on with another version
            told = {"message": "a node's close() failed after an update", "exception": error}
            asyncio.get_running_loop().call_exception_handler(told)

    def running(self) -> list[RunningCall]:
        """See `BuiltStage.running`."""
        return self._built.running()

    def receive(self, frame: Frame, on_taken: Callable[[Feedback], None]) -> None:
        """Take a frame in; feedback is given when it has left the inbox."""
        sequence = frame.sequence
        if frame.epoch in self.refused:
            on_taken(Feedback(sequence, 0.0))
            return
        if self._cancelled.has_any and frame.kind.is_data:
            frame = frame._replace(messages=frame.messages.without(self._cancelled))

        came_at = self._clock.now()

        def taken() -> None:
            worker = self._built.worker
            wait_s, held_s = worker.wait_s(self._inbox.ahead), self._clock.now() - came_at
            on_taken(Feedback(sequence, worker.service_s, self._built.rest_s, wait_s, held_s))

        self._inbox.put(frame, taken)

    def note_cancelled(self, roots: Sequence[int], calls: Sequence[int]) -> None:
        """Single inputs, and all of whole calls, are given up; from any thread. `drop_cancelled` is due then."""
        self._cancelled.add(roots, calls)

    def drop_cancelled(self) -> None:
        """Drop what waits of inputs that were given up, and cancel async code that works on them."""
        self._inbox.drop(self._cancelled)
        self.outbox.drop_cancelled()
        self._built.worker.cancel()

    def held(self) -> Held:
        """How many reports tell of all that is finished by now, and the ids of the messages that it holds besides.

        What passed lately is told for that; see `Outbox.tell_all`.
        """
        return self.outbox.tell_all(), [*self._inbox.held(), *self._built.worker.held(), *self.outbox.held()]

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
        on_taken(Feedback(frame.sequence, self._built.worker.service_s))

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
        """See `BuiltStage.close`."""
        self.drop_next()
        try:
            await self._built.close()
        finally:
            for task in self._closings:
                task.cancel()


def _never() -> bool:
    """Where code runs inline it would keep the loop from sending later, and sending costs next to nothing."""
    return False


def _nothing() -> None:
    """Nobody waits for the word to be taken."""
