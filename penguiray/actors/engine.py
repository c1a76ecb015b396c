"""A run on Ray as its driver sees it: one thread that starts the replicas, takes what they say, and ends them.

Callers submit inputs from their own threads, under the lock; all that returns passes through the thread's queue.
Callbacks of Ray only put something there.
"""

from __future__ import annotations

import atexit
import functools
import logging
import os
import queue
import random
import socket
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Literal

import ray

from penguiray.actors.cancels import Cancels
from penguiray.actors.driver_links import DriverLinks
from penguiray.actors.hearing import Hearing
from penguiray.actors.lost import end_of_run
from penguiray.actors.opening import Opening, Step
from penguiray.actors.pool import ReplicaPool, hosts
from penguiray.actors.session import connect, smallest_store, totals
from penguiray.actors.ship import Parcels
from penguiray.actors.supervisor import Supervisor
from penguiray.actors.updates import packed_stage
from penguiray.clock import Clock, SystemClock
from penguiray.control.host_setup import HostSetups
from penguiray.control.lease import RENEW_S
from penguiray.control.placement import why_not_placed
from penguiray.errors import PenguirayError, PlacementError, RunClosed, StartError
from penguiray.graph.spec import FlowSpec, NodeSpec
from penguiray.ingress.engine import EngineState, Signal, ThreadSignal, Update
from penguiray.ingress.ingress import Ingress
from penguiray.interrupts import Uninterrupted
from penguiray.link.failure import CarriedError
from penguiray.link.frame import LinkId
from penguiray.observe.card import RunCard
from penguiray.observe.watch import CallWatch
from penguiray.plan.compile import compile_plan
from penguiray.plan.plan import Plan

__all__ = ["RayEngine"]

_log = logging.getLogger("penguiray")

_PLACEMENT_S = 4.0
"""Waiting for its place may last this long before a replica's resources are looked into."""
_STOP_S = 40.0
"""Longest that `stop` waits for the engine's thread; replicas are killed before that."""

Event = tuple[Step | Literal["tick", "wake", "gone"], LinkId | None, "Future[Any] | None"]
Todo = Callable[[], None]


class RayEngine:
    """Starts a flow's replicas on Ray and talks with them until it is stopped."""

    plan: Plan
    ingress: Ingress
    watch: CallWatch

    def __init__(self, spec: FlowSpec, *, address: str | None, token: str | None, flow: str, is_named: bool) -> None:
        """Prepare; nothing is asked of Ray before `open`.

        Args:
            spec: What to run, under the run's name.
            address: Cluster to join if there is no connection yet. None: start a Ray on this host.
            token: See `session.connect`.
            flow: Name of the flow.
            is_named: Whether the run claims its name, so that no other run of the cluster has it.
        """
        self.lock: AbstractContextManager[Any] = Uninterrupted()
        self._spec = spec
        self._address = address
        self._token = token
        self._flow = flow
        self._is_named = is_named
        self._epoch = time.time_ns()
        self.clock: Clock = SystemClock()
        self._events: queue.SimpleQueue[Event | Todo] = queue.SimpleQueue()
        self._state: EngineState = "starting"
        self._start_error: PenguirayError | None = None
        self._started = ThreadSignal(latched=True)
        self._is_ending = False
        self._has_ended = threading.Event()
        self._finish = False
        self._said: set[str] = set()
        self._parcels = Parcels(spec.options.inline_limit_bytes)
        self._pool: ReplicaPool | None = None
        self._supervisor: Supervisor | None = None
        self._cancels = Cancels(self._tell_cancelled)
        self._hosts = HostSetups()
        self._thread = threading.Thread(target=self._work, name=f"penguiray-{spec.name}", daemon=True)
        self._prepare({})

    def _prepare(self, has: dict[str, float]) -> None:
        """Plan for what the cluster has; the first plan, for nothing, only serves who asks before Ray is reached."""
        plan = compile_plan(self._spec, cpus=max(1, int(has.get("CPU", 1))), totals=has or None)
        self._use(plan if plan.options.max_message_bytes or not has else _limited(plan))

    def _use(self, plan: Plan, *, ingress: int = 0) -> None:
        self.plan = plan
        self._hearing = Hearing(self.plan, self.lock, self.clock, post=self._events.put, lose=self._lose)
        self._links = DriverLinks(
            self.plan.options,
            self.lock,
            self.clock,
            on_answer=self._hearing.take_answer,
            on_feedback=self._hearing.take_feedback,
            on_report=self._hearing.take_report,
            on_absence=self._hearing.note_absence,
            on_refused=self._refuse,
            on_error=lambda error: self._events.put(functools.partial(_raise, error)),
        )
        self.ingress = Ingress(
            self.plan,
            self._links.transport,
            epoch=self._epoch,
            clock=self.clock,
            rng=random.Random(),  # noqa: S311 - a choice among replicas, not a secret
            number=ingress,
            outlives_replicas=not ingress,
        )
        self.ingress.on_cancel = self._cancel
        self._hearing.begin(self.ingress, self._links.transport)
        self.watch = self._hearing.watch

    def _refuse(self, root: int, message_id: int, error: CarriedError) -> None:
        self.ingress.refuse_message(root, message_id, error)

    def _cancel(self, roots: Sequence[int], calls: Sequence[int]) -> None:
        if self._pool is not None and not self._is_ending:
            self._cancels.add(list(self._pool.opened), roots, calls)

    def _tell_cancelled(self, link: LinkId, roots: Sequence[int], calls: Sequence[int]) -> None:
        pool = self._pool
        if pool is not None and link in pool.actors and not self._is_ending:
            pool.cancel(link, lambda *_: self._events.put(functools.partial(self._note_told, link)), roots, calls)
        else:
            self._events.put(functools.partial(self._note_told, link))

    def _note_told(self, link: LinkId) -> None:
        with self.lock:
            self._cancels.told(link)

    @property
    def state(self) -> EngineState:
        """Where in its life it is."""
        return self._state

    def open(self) -> None:
        """Check that the nodes can be sent, and begin to start.

        Raises:
            FlowError: A node cannot be pickled.
        """
        self._parcels.pack(self.plan)
        begin(self)

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
        return ThreadSignal()

    def update(self, new: NodeSpec) -> Update:
        """Begin to put another version in the place of the node of that name.

        Raises:
            FlowError: The node cannot be pickled.
        """
        assert self._supervisor is not None  # the run is ready
        updates, base = self._supervisor.updates, self.plan
        plan, stage = base.updated(new)
        update, code = Update(plan, stage.index, self.signal()), packed_stage(plan, stage.index)
        updates.expect(update)
        self._events.put(lambda: updates.begin(update, base, new.name, code))
        return update

    def _use_updated(self, plan: Plan) -> None:
        self.plan = plan

    def stop(self, *, finish: bool) -> None:
        """End all replicas and wait for that."""
        if not self._is_ending:
            self._finish = finish
        self._is_ending = True
        self._events.put(("wake", None, None))
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(_STOP_S)

    def _work(self) -> None:
        """The thread: start, take what comes, end."""
        try:
            self._deploy()
            while not self._is_ending:
                event = self._next_event()
                if isinstance(event, tuple):
                    self._take(event)
                else:
                    event()
        except PenguirayError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - the top of the engine's loop: told to whoever waits
            kind = StartError if self._state == "starting" else PenguirayError
            self._fail(kind(f"run {self._spec.name!r} ended: {error!r}"), error)
        finally:
            self._end()

    def _next_event(self) -> Event | Todo:
        """What comes next, or that it is time to look for what is missing after a loss."""
        supervisor = self._supervisor
        if supervisor is None:
            return self._events.get()
        try:
            return self._events.get(timeout=supervisor.rest_s)
        except queue.Empty:
            return supervisor.count

    def _fail(self, error: PenguirayError, cause: BaseException | None = None) -> None:
        error.__cause__ = error.__cause__ or cause
        if self._state == "starting":
            self._start_error = error
        self._state = "failed"
        with self.lock:
            self.ingress.fail(error)

    def _end(self) -> None:
        self._is_ending = True
        why = self.ingress.failure or RunClosed(f"run {self.plan.name!r} was stopped", run=self.plan.name)
        try:
            self._links.close()
            if self._supervisor is not None:
                self._supervisor.close(why)
            if self._pool is not None and ray.is_initialized():
                self._pool.stop(finish=self._finish)
        finally:
            if self._state != "failed":
                self._state = "stopped"
            self._has_ended.set()
            self._started.set()
            _running.discard(self)

    # -- start

    def _deploy(self) -> None:
        pool = self._place()
        if pool is None:
            return
        threading.Thread(target=self._renew, name="penguiray-lease", daemon=True).start()
        self._wait_opened(self._opening(pool))
        if self._is_ending:
            return
        self._links.connect(pool.by_stage())
        self._look_after(pool)
        self._hearing.listen(pool, self._supervisor)
        self._state = "running"
        self._started.set()

    def _look_after(self, pool: ReplicaPool) -> None:
        """Listen to the replicas from now on, and put others in the places of those that are lost."""
        self._supervisor = Supervisor(
            self.plan,
            pool,
            self.ingress,
            self.lock,
            self.clock,
            self._hosts,
            post=self._events.put,
            on_lost=self._hearing.forget,
            on_successor=self._hearing.take_successor,
            use=self._use_updated,
        )

    def _place(self) -> ReplicaPool | None:
        """Ask Ray for the replicas; None if the run is ending already."""
        connect(self._address, token=self._token)
        if self._is_ending:
            return None
        self._prepare(totals())
        self._pool = ReplicaPool(self.plan, self._card())
        self._pool.create(self._parcels.pack(self.plan), self._parcels.large)
        self._parcels = Parcels(self.plan.options.inline_limit_bytes)  # what it holds lies in the store now
        return self._pool

    def _card(self) -> RunCard:
        stages = tuple((stage.name, stage.replicas) for stage in self.plan.stages)
        name = self._spec.name if self._is_named else None
        return RunCard(name, self._flow, socket.gethostname(), os.getpid(), self._epoch / 1e9, self._epoch, stages)

    def _opening(self, pool: ReplicaPool) -> Opening:
        return Opening(self.plan, pool, self._note_step, self._hosts, pool.actors)

    def _note_step(self, step: Step, link: LinkId, done: Future[Any]) -> None:
        self._events.put((step, link, done))

    def _wait_opened(self, opening: Opening) -> None:
        """Take the replicas' answers; whenever none has come for a while, look why they wait."""
        look_at = self.clock.now() + _PLACEMENT_S
        while opening.waiting and not self._is_ending:
            try:
                event = self._events.get(timeout=max(0.0, look_at - self.clock.now()))
            except queue.Empty:
                self._look_for_places(opening.pool, {self.plan.stages[link.stage].index for link in opening.waiting})
                look_at = self.clock.now() + _PLACEMENT_S
                continue
            assert isinstance(event, tuple)
            step, link, done = event
            if link is not None and done is not None:
                opening.take(step, link, done)
                look_at = self.clock.now() + _PLACEMENT_S

    def _look_for_places(self, pool: ReplicaPool, stages: set[int]) -> None:
        """Say why replicas wait; give up on what no host can ever hold."""
        seen, others = hosts(), pool.others()
        for index in sorted(stages):
            node = self.plan.stages[index].first
            found = why_not_placed(node, seen, others)
            if found is None:
                continue
            can_be, why = found
            if not can_be:
                raise PlacementError(why, node=node.name)
            if why not in self._said:
                self._said.add(why)
                _log.warning("%s", why)

    # -- while it runs

    def _take(self, event: Event) -> None:
        kind, _, _ = event
        if kind == "gone" and not self._is_ending:
            raise PenguirayError(f"run {self._spec.name!r} ended: this process is no longer connected to Ray")
        if kind == "tick":
            self._hearing.warn_of_silence()
            if self._supervisor is not None:
                self._supervisor.look(self._look_for_places, _PLACEMENT_S)

    def _note_renewed(self, link: LinkId, actor: Any, done: Future[Any]) -> None:
        if self._supervisor is not None:
            self._supervisor.note_renewed(link, actor, done)

    def _lose(self, link: LinkId, error: BaseException | None) -> None:
        """A replica was lost: another one takes its place, or the run ends."""
        if self._supervisor is None:
            raise error if isinstance(error, StartError) else self._lost(link, error)
        self._supervisor.lose(link, error)

    def _lost(self, link: LinkId, error: BaseException | None) -> PenguirayError:
        return end_of_run(self.plan, link, error)

    def _renew(self) -> None:
        """Keep the replicas' lease until the run ends; a thread of its own, so that nothing can hold it up."""
        while not self._has_ended.wait(RENEW_S):
            if not ray.is_initialized():
                self._events.put(("gone", None, None))
                return
            if self._pool is not None:
                self._pool.renew(self._note_renewed)
            self._events.put(("tick", None, None))


def _raise(error: BaseException) -> None:
    raise error


def _limited(plan: Plan) -> Plan:
    """The plan with the largest message that every host can hold."""
    return replace(plan, options=replace(plan.options, max_message_bytes=smallest_store()))


_running: weakref.WeakSet[RayEngine] = weakref.WeakSet()


def begin(engine: RayEngine) -> None:
    """Start an engine's thread, and see to it that the program's end ends it."""
    with Uninterrupted():
        _running.add(engine)
        engine._thread.start()  # noqa: SLF001 - a part of its `open`


@atexit.register
def _stop_all() -> None:
    """End what the program left running; registered after Ray's own hook, so it runs before it."""
    for engine in list(_running):
        engine.stop(finish=False)
