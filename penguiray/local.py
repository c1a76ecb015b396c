"""The second shell: the same plan in one process, without Ray, for tests and for debugging.

Where no event loop runs, everything happens in the caller's thread while it waits for results: breakpoints work, and
nothing moves between calls. Where a loop runs already (async code, a notebook), the engine has a thread of its own.
Values go from node to node by reference. What has no promised order is shuffled, so that a test that relies on luck
fails here first.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, ClassVar, Protocol

from penguiray.clock import Clock, SystemClock
from penguiray.errors import FlowError, PenguirayError, ReplicaLost, RunClosed
from penguiray.graph.spec import FlowSpec, NodeSpec
from penguiray.ingress.engine import EngineState, Signal, Update
from penguiray.ingress.ingress import Ingress
from penguiray.interrupts import Uninterrupted
from penguiray.link.failure import CarriedError
from penguiray.link.frame import Feedback, Frame, LinkId
from penguiray.link.transport import Transport
from penguiray.link.wire import Refused, carry_small, frame_of_what_can_travel
from penguiray.observe.watch import CallWatch, look_every_s
from penguiray.plan.compile import compile_plan
from penguiray.plan.plan import Plan, Stage
from penguiray.pump import LoopSignal, Pump
from penguiray.runtime.built import NotOpened
from penguiray.runtime.replica import Replica

__all__ = ["LocalEngine", "World", "shuffled"]

_log = logging.getLogger("penguiray")

_STOP_S = 5.0


class World(Protocol):
    """Where a test brings its own time and chance; `penguiray.testing` has one whose time is virtual."""

    def engine_of(self, spec: FlowSpec, seed: int | None) -> LocalEngine:
        """An engine for a flow, with this time."""
        ...


class LocalEngine:
    """Runs one replica of each stage on one event loop."""

    outlives_replicas: ClassVar[bool] = False
    """Whether a run goes on when a replica is lost; here that is the end of the process."""
    world: ClassVar[World | None] = None
    """Where flows that are started get their engines from. None: they have the machine's time."""

    def __init__(
        self,
        plan: Plan,
        *,
        seed: int | None = None,
        clock: Clock | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Prepare; nothing runs before `open`.

        Args:
            plan: What to run.
            seed: Makes the shuffling repeatable. None: another order each time.
            clock: Where time comes from. None: the machine's.
            loop: A fresh loop whose time is that clock's; the engine closes it. None: an ordinary one.
        """
        self.plan = plan = self._sized(plan)
        self.lock: AbstractContextManager[Any] = threading.RLock()
        self._epoch = time.time_ns()
        self._rng = random.Random(seed)  # noqa: S311 - an order, not a secret
        self.clock: Clock = clock or SystemClock()
        self._loop = loop or asyncio.new_event_loop()
        self._loop.set_exception_handler(self._on_loop_error)
        self._pump = Pump(self._loop, plan.name)
        self._stopping = threading.Lock()
        self._state: EngineState = "starting"
        self._start_error: PenguirayError | None = None
        self._started = LoopSignal(self._pump, self.clock, latched=True)
        self._tasks: list[asyncio.Task[None]] = []
        self._update: asyncio.Task[None] | None = None
        self._is_dropping = False
        self._noted: set[LinkId] = set()
        self.watch = CallWatch(plan)
        self._watcher = _Watcher(self)
        self._replicas: dict[LinkId, Replica] = {}
        self.ingress = Ingress(
            plan,
            self._open_door(),
            epoch=self._epoch,
            clock=self.clock,
            rng=self._rng,
            outlives_replicas=self.outlives_replicas,
        )
        self.ingress.on_cancel = self._cancel
        for stage in plan.stages:
            for number in range(stage.replicas):
                self._replicas[LinkId(stage.index, number)] = self._replica(stage, number)

    @classmethod
    def of(cls, spec: FlowSpec, seed: int | None) -> LocalEngine:
        """An engine for a flow, from the world that there is."""
        if cls.world is not None:
            return cls.world.engine_of(spec, seed)
        return cls(compile_plan(spec, cpus=1), seed=seed)

    def _sized(self, plan: Plan) -> Plan:
        """One replica for each stage, whatever the plan says."""
        return replace(plan, stages=tuple(replace(stage, replicas=1) for stage in plan.stages))

    def _open_door(self) -> Transport:
        """How inputs get to the sources."""
        return _Wire(self, self._feed_ingress, self._refuse_input)

    def _replica(self, stage: Stage, number: int) -> Replica:  # noqa: ARG002 - there is one of each stage
        link = LinkId(stage.index, 0)

        def feed(to: LinkId, feedback: Feedback) -> None:
            self._replicas[link].on_feedback(to, feedback)

        def refuse(root: int, message_id: int, error: CarriedError) -> None:
            self._replicas[link].outbox.refuse(root, message_id, error)

        replica = Replica(
            replace(stage, passes_on=False),  # to tell costs little here, and the loop turns only while somebody waits
            self.plan.options,
            _Wire(self, feed, refuse),
            epoch=self._epoch,
            clock=self.clock,
            rng=self._rng,
            on_news=lambda: self._note_news(link),
            inline=True,
        )
        for edge in stage.edges:
            replica.connect(edge.target, 1)
        return replica

    def _cancel(self, roots: Sequence[int], calls: Sequence[int]) -> None:
        for replica in self._replicas.values():
            replica.note_cancelled(roots, calls)
        if not self._is_dropping:
            self._is_dropping = True
            self.call_soon(self._drop_cancelled)

    def _drop_cancelled(self) -> None:
        """Once for all that was given up in the meantime: it goes through all that waits."""
        self._is_dropping = False
        for replica in self._replicas.values():
            replica.drop_cancelled()

    @property
    def state(self) -> EngineState:
        """Where in its life it is."""
        return "failed" if self.ingress.failure and self._state == "running" else self._state

    def open(self) -> None:
        """Begin to start: at the first wait, or in a thread where a loop is running already."""
        self._watcher.start()
        self._loop.call_soon(self._begin)
        self._pump.begin()

    def _begin(self) -> None:
        self._tasks.append(self._loop.create_task(self._start()))

    async def _start(self) -> None:
        try:
            for replica in self._replicas.values():
                await replica.set_up_host()
                await replica.open()
            if self._state == "starting":
                self._tasks += [self._loop.create_task(self._run(link)) for link in self._replicas]
                self._state = "running"
        except NotOpened as error:
            self._start_error = error.as_start_error()
            self._state = "failed"
        finally:
            self._started.set()

    async def _run(self, link: LinkId) -> None:
        try:
            await self._replicas[link].run()
        except BaseException as error:
            if self._state != "stopped":
                self._fail(link, error)
            raise

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An error of ours in a callback: a frame or a report may be gone, so the run is."""
        loop.default_exception_handler(context)
        error = context.get("exception")
        if "handle" in context and error is not None and self._state == "running":
            self._fail(LinkId(0, 0), error)

    def _fail(self, link: LinkId, error: BaseException) -> None:
        name = self.plan.stages[link.stage].name
        found = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error
        lost = ReplicaLost(f"the replica of {name!r} ended: {found!r}", node=name, replica=link.replica)
        lost.__cause__ = error
        with self.lock:
            self.ingress.fail(lost)
        if self._update is not None:
            self._update.cancel()

    def started(self) -> Signal:
        """Set once the start has ended."""
        return self._started

    def check_started(self) -> bool:
        """Whether all replicas are ready; raises what kept them from it."""
        if self._start_error is not None:
            raise self._start_error
        return self._state != "starting"

    def signal(self) -> Signal:
        """A fresh signal for one call."""
        return LoopSignal(self._pump, self.clock)

    def update(self, new: NodeSpec) -> Update:
        """Begin to put another version in the place of the node of that name."""
        self._pump.refuse_own_thread()
        plan, stage = self.plan.updated(new)
        update = Update(plan, stage.index, self.signal())
        self.call_soon(self._begin_update, new.name, update)
        if self._loop.is_closed():
            update.end(self._closed())
        return update

    def _begin_update(self, name: str, update: Update) -> None:
        if self._update is not None:
            update.end(FlowError(f"run {self.plan.name!r} is being updated already; wait for that, then update again"))
            return
        self._update = self._loop.create_task(self._change_over(name, update))
        self._update.add_done_callback(lambda _: self._end_update(update))

    def _end_update(self, update: Update) -> None:
        self._update = None
        update.end(self._closed())  # unless it has ended well, or with an error of its own

    def _closed(self) -> Exception:
        return self.ingress.failure or RunClosed(f"run {self.plan.name!r} was stopped", run=self.plan.name)

    async def _change_over(self, name: str, update: Update) -> None:
        stage = update.plan.stages[update.stage]
        replicas = [replica for link, replica in self._replicas.items() if link.stage == update.stage]
        try:
            for replica in replicas:
                replica.load(stage, name)
                await replica.set_up_next_host()
                await replica.open_next()
        except NotOpened as error:
            for replica in replicas:
                replica.drop_next()
            update.end(error.as_start_error())
            return
        for replica in replicas:
            await replica.switch()
        self.plan = update.plan
        update.end(None)

    def stop(self, *, finish: bool) -> None:
        """End all replicas; a second caller waits until the first has done it."""
        self._pump.refuse_own_thread()
        with self._stopping:
            if self._state != "stopped":
                self._state = "stopped"
                self._stop(finish=finish)

    def _stop(self, *, finish: bool) -> None:
        self._watcher.stop()
        for replica in self._replicas.values():
            self.call_soon(replica.finish if finish else replica.stop)
        self._pump.end(self._close(finish=finish))

    async def _close(self, *, finish: bool) -> None:
        """Wait for the workers, which hold the user's objects, before these are closed."""
        if self._update is not None:
            self._update.cancel()
        if not finish:
            for task in self._tasks:
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_STOP_S)
        for replica in reversed(self._replicas.values()):
            try:
                async with asyncio.timeout(_STOP_S):
                    await replica.close()
            except Exception as error:  # noqa: BLE001 - the border to user code: the next `close()` is due too
                self._loop.call_exception_handler({"message": "a node's close() failed", "exception": error})
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def call_soon(self, function: Callable[..., None], *arguments: Any) -> None:
        """Have the loop call something, from whatever thread; nothing once the engine has stopped."""
        self._pump.call_soon(function, *arguments)

    def deliver(self, frame: Frame, reply: Callable[[LinkId, Feedback], None]) -> None:
        """Hand a frame to its replica, its messages shuffled."""
        replica = self._replicas[frame.link]

        def on_taken(feedback: Feedback) -> None:
            self._loop.call_soon(reply, frame.link, feedback)

        replica.receive(shuffled(frame, self._rng), on_taken)

    def _feed_ingress(self, link: LinkId, feedback: Feedback) -> None:
        with self.lock:
            self.ingress.on_feedback(link, feedback)

    def _refuse_input(self, root: int, message_id: int, error: CarriedError) -> None:
        self.ingress.refuse_message(root, message_id, error)

    def look(self) -> None:
        """Look at the calls under way, from a thread that no node can hold up, and warn of those that take long."""
        said = []
        for link, replica in self._replicas.items():
            calls = replica.running()
            with self.lock:
                said += self.watch.look(link, calls, self.clock.now())
        for sentence in said:
            _log.warning("%s", sentence)

    def _note_news(self, link: LinkId) -> None:
        """Take a replica's report in a later turn of the loop, once for all its news."""
        if link not in self._noted:
            self._noted.add(link)
            self._loop.call_soon(self._take_report, link)

    def _take_report(self, link: LinkId) -> None:
        self._noted.discard(link)
        report = self._replicas[link].outbox.take_report()
        carry_small(report, self.plan.options.max_message_bytes, node=self.plan.stages[link.stage].last.name)
        with self.lock:
            self.ingress.on_report(link, report)


class _Watcher:
    """Has an engine look at its calls now and then; ends with the engine, also with one that nobody stopped."""

    def __init__(self, engine: LocalEngine) -> None:
        self._engine = weakref.ref(engine)
        self._every_s = look_every_s(engine.plan.options.report_after_s)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="penguiray-watch", daemon=True)

    def start(self) -> None:
        with Uninterrupted():
            self._thread.start()

    def stop(self) -> None:
        with Uninterrupted():
            self._is_over.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()

    def _work(self) -> None:
        while not self._is_over.wait(self._every_s):
            engine = self._engine()
            if engine is None:
                return
            engine.look()
            del engine


class _Wire:
    """Transport inside the process: a frame is handed over in a later turn of the loop."""

    __slots__ = ("_engine", "_refuse", "_reply")

    def __init__(self, engine: LocalEngine, reply: Callable[[LinkId, Feedback], None], refuse: Refused) -> None:
        self._engine = engine
        self._reply = reply
        self._refuse = refuse

    def send(self, frame: Frame) -> int:
        """Hand the frame over; it takes no bytes, but a limit that the user set holds here too."""
        limit = self._engine.plan.options.max_message_bytes
        if limit is not None:
            frame = frame_of_what_can_travel(frame, limit, self._refuse)
        self._engine.call_soon(self._engine.deliver, frame, self._reply)
        return 0

    def frame_bytes(self, stage: int, full_bytes: float) -> float:  # noqa: ARG002 - see `Transport`
        """See `Transport`; values have no size here."""
        return full_bytes

    def is_near(self, link: LinkId) -> bool:  # noqa: ARG002 - there is but one process
        """See `Transport`."""
        return True


def shuffled(frame: Frame, rng: random.Random) -> Frame:
    """The frame with its messages in another order, but for those of one key, and for control words."""
    messages = frame.messages
    if not frame.kind.is_data or len(messages) < 2:
        return frame
    order = list(range(len(messages)))
    rng.shuffle(order)
    if messages.keys:
        keys = [messages.keys.get(message_id) for message_id in messages.ids]
        places: dict[int | None, list[int]] = {}
        for place in range(len(messages) - 1, -1, -1):
            places.setdefault(keys[place], []).append(place)
        order = [place if keys[place] is None else places[keys[place]].pop() for place in order]
    return frame._replace(messages=messages.pick(order))
