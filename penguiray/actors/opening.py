"""The start of a run's replicas: hosts that a node wants set up are set up first, then nodes are built."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, Literal

from ray.exceptions import RayActorError, RayTaskError

from penguiray.actors.pool import ReplicaPool
from penguiray.control.host_setup import HostSetups
from penguiray.control.reach import missing_module, why_not_importable
from penguiray.errors import StartError
from penguiray.link.frame import LinkId
from penguiray.plan.plan import Plan
from penguiray.runtime.built import NotOpened

__all__ = ["Opening", "Step", "Told"]

Step = Literal["placed", "set up", "opened"]
"""What a replica has just done."""

Told = Callable[[Step, LinkId, "Future[Any]"], None]


class Opening:
    """Asks each replica for its next step when it has answered for the one before; its owner hands it the answers."""

    def __init__(self, plan: Plan, pool: ReplicaPool, told: Told, hosts: HostSetups, links: Iterable[LinkId]) -> None:
        """Ask replicas for their first steps.

        Args:
            plan: What the replicas run.
            pool: Where they are.
            told: Called from a thread of Ray's with each answer; may only enqueue it for `take`.
            hosts: Those that were set up, or are at this moment.
            links: Which replicas.
        """
        self._plan = plan
        self.pool = pool
        """The replicas."""
        self._told = told
        self._hosts = hosts
        self.waiting = set(links)
        """Replicas that have not built their nodes."""
        for link in list(self.waiting):
            self._ask(link, self._first_step(link))

    def _first_step(self, link: LinkId) -> Step:
        return "placed" if any(node.has_host_setup for node in self._plan.stages[link.stage].nodes) else "opened"

    def _ask(self, link: LinkId, step: Step) -> None:
        ask = {"placed": self.pool.host, "set up": self.pool.set_up_host, "opened": self.pool.open}[step]
        ask(link, lambda link, done: self._told(step, link, done))

    def set_up(self, link: LinkId) -> None:
        """A replica that waits for its host is to set it up, since the one that was at it is lost."""
        self._ask(link, "set up")

    def take(self, step: str, link: LinkId, done: Future[Any]) -> None:
        """Take the answer of a replica to one of the steps.

        Raises:
            StartError: A constructor, a `setup()` or a `setup_host()` raised, or the replica was lost.
        """
        self._check(link, done)
        if step == "opened":
            self.waiting.discard(link)
            self.pool.opened.add(link)
        elif step == "set up":
            for ready in self._hosts.is_set_up(link):
                self._ask(ready, "opened")
        else:
            todo = self._hosts.placed(link, done.result())
            if todo != "wait":
                self._ask(link, "set up" if todo == "set up" else "opened")

    def _check(self, link: LinkId, done: Future[Any]) -> None:
        error = done.exception()
        if error is None:
            return
        stage = self._plan.stages[link.stage]
        node = stage.first
        cause = error.cause if isinstance(error, RayTaskError) else error
        which = f" in replica {link.replica} of {stage.replicas}" if stage.replicas > 1 else ""
        if isinstance(cause, NotOpened):
            raise cause.as_start_error(which)
        module = missing_module(str(error)) if isinstance(error, RayActorError) else None
        why = repr(cause) if module is None else why_not_importable(module)
        raise StartError(f"node {node.name!r} ({node.where}) did not start{which}: {why}", node=node.name) from cause
