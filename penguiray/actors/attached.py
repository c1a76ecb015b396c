"""A run of another process, as a process sees it that attached to it: its own ingress and sender, others' replicas."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_futures
from typing import Any

import ray
from ray.exceptions import RayTaskError

from penguiray.actors.engine import RayEngine, begin
from penguiray.actors.opening import Opening, Step, Told
from penguiray.actors.pool import Done, ReplicaPool, ask
from penguiray.actors.registry import Admitted, admit, lead_name, replica_name
from penguiray.actors.session import NAMESPACE, connect
from penguiray.control.host_setup import HostSetups
from penguiray.errors import FlowError, PenguirayError, RunClosed
from penguiray.graph.spec import NodeSpec
from penguiray.ingress.engine import Update
from penguiray.link.frame import LinkId
from penguiray.plan.outline import spec_of
from penguiray.plan.plan import Plan

__all__ = ["AttachedEngine"]

Lost = Callable[[LinkId, BaseException], PenguirayError]

_LEAVE_S = 2.0
"""Longest that leaving waits for the replicas; those that did not hear it let this process go when it stays silent."""


class AttachedPool(ReplicaPool):
    """Handles of another process's replicas: found by name, and never ended from here."""

    def __init__(self, admitted: Admitted) -> None:
        super().__init__(admitted.plan, admitted.card)
        self._ingress = admitted.ingress
        self._collects = False

    def find(self) -> None:
        """Look the actors up.

        Raises:
            ValueError: One is gone, and the run with it.
        """
        for stage in self._plan.stages:
            for number in range(stage.replicas):
                name = replica_name(self._card, self._plan.name, stage.name, number)
                name = name if self.actors else lead_name(self._card)
                self.actors[LinkId(stage.index, number)] = ray.get_actor(name, namespace=NAMESPACE)

    def open(self, link: LinkId, on_done: Done) -> None:
        """Have one actor keep news for this process; the answer says whether it is ready."""
        ask(self.actors[link].join, link, on_done, self._ingress)

    def collect(self, link: LinkId, on_done: Done) -> None:
        """Ask one actor for its next report to this process."""
        self._collects = True
        ask(self.actors[link].collect_for, link, on_done, self._ingress)

    def renew(self, told: Callable[[LinkId, Any, Future[Any]], None]) -> None:  # noqa: ARG002 - see above
        """Tell every actor that this process lives, as long as it waits for one that is not ready.

        After that whoever collects is heard of, and only who collects: a process that takes no news any more would
        fill its replicas with them.
        """
        if not self._collects:
            for actor in list(self.actors.values()):
                actor.renew.remote(self._ingress)

    def stop(self, *, finish: bool) -> None:  # noqa: ARG002 - see ReplicaPool
        """Leave the run as it is."""
        left: list[Future[Any]] = [actor.leave.remote(self._ingress).future() for actor in self.actors.values()]
        wait_futures(left, timeout=_LEAVE_S)
        self.actors.clear()
        self.opened.clear()


class Joining(Opening):
    """The start of a run that others have started: each replica is asked until it is ready."""

    def __init__(self, plan: Plan, pool: ReplicaPool, told: Told, lost: Lost) -> None:
        """Ask all replicas; `lost` says what an error of one of them means, and see `Opening` for the others."""
        self._lost = lost
        super().__init__(plan, pool, told, HostSetups(), pool.actors)

    def _ask(self, link: LinkId, step: Step) -> None:  # noqa: ARG002 - there is only one
        self.pool.open(link, lambda link, done: self._told("opened", link, done))

    def take(self, step: str, link: LinkId, done: Future[Any]) -> None:  # noqa: ARG002 - as above
        """Take an answer.

        Raises:
            RunClosed: A replica is gone.
        """
        error = done.exception()
        if error is not None:
            raise self._lost(link, error)
        if done.result():
            self.waiting.discard(link)
            self.pool.opened.add(link)
        else:
            self._ask(link, "opened")


class AttachedEngine(RayEngine):
    """Talks with the replicas of a run that another process started; ending it ends nothing but its own calls."""

    def __init__(self, admitted: Admitted) -> None:
        """Prepare; `open` joins the replicas."""
        self._admitted = admitted
        self.spec = spec_of(admitted.plan)
        """The flow, without its code."""
        super().__init__(self.spec, address=None, token=None, flow=admitted.card.flow, is_named=False)
        self.began = self.clock.now() - admitted.age_s if admitted.age_s else None
        """When the run was ready, on this process's clock; None if it is not yet."""

    @classmethod
    def find(cls, name: str, address: str | None) -> AttachedEngine:
        """Find a run by its name.

        Raises:
            StartError: The cluster cannot be reached, or has no run of that name; says which there are.
        """
        connect(address)
        return cls(admit(name))

    def _prepare(self, has: dict[str, float]) -> None:  # noqa: ARG002 - the plan is the run's
        self._epoch = self._admitted.card.epoch
        self._use(self._admitted.plan, ingress=self._admitted.ingress)

    def open(self) -> None:
        """Begin to join the replicas."""
        begin(self)

    def update(self, new: NodeSpec) -> Update:
        """Only the process that started the run has what its successors are made of.

        Raises:
            FlowError: Always.
        """
        raise FlowError(f"run {self.plan.name!r} was started by another process, and only that can update {new.name!r}")

    def _place(self) -> ReplicaPool | None:
        pool = self._pool = AttachedPool(self._admitted)
        try:
            pool.find()
        except ValueError:
            raise self._closed("it ended at this moment") from None
        return pool

    def _opening(self, pool: ReplicaPool) -> Opening:
        return Joining(self.plan, pool, self._note_step, self._lost)

    def _look_after(self, pool: ReplicaPool) -> None:
        """Nothing: the process that started the run replaces who is lost, and this one is told of no successors."""

    def _look_for_places(self, pool: ReplicaPool, stages: set[int]) -> None:
        """Nothing: the process that started the run says why its replicas wait."""

    def _lost(self, link: LinkId, error: BaseException | None) -> PenguirayError:  # noqa: ARG002 - see RayEngine
        cause = error.cause if isinstance(error, RayTaskError) else error
        if isinstance(cause, RunClosed):
            return self._closed(str(cause))
        card = self._admitted.card
        return self._closed(
            f"process {card.pid} on {card.host}, which started it, stopped it, ended, or lost a replica"
        )

    def _closed(self, why: str) -> RunClosed:
        name = self.plan.name
        return RunClosed(f"run {name!r} is closed for this program, which attached to it: {why}", run=name)
