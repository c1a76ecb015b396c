"""The replica actors of one run: created, asked, ended. What to do about what they say is not decided here."""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_futures
from typing import Any

import ray

from penguiray.actors.calls import Peer
from penguiray.actors.door import Door
from penguiray.actors.private import free_by_host
from penguiray.actors.process import CLOSE_S, FINISH_S
from penguiray.actors.registry import claim, create_again, lead_name, others, replica_name
from penguiray.actors.replica_actor import CONCURRENCY_GROUPS, ReplicaActor
from penguiray.actors.session import NAMESPACE
from penguiray.actors.ship import Packed, pack_outline
from penguiray.control.placement import Host
from penguiray.link.frame import LinkId
from penguiray.link.peers import epoch_of
from penguiray.observe.card import RunCard
from penguiray.plan.needs import wishes_of
from penguiray.plan.plan import Plan

__all__ = ["Code", "Done", "ReplicaPool", "ask", "hosts"]

Done = Callable[[LinkId, "Future[Any]"], None]

Code = tuple[Any, list[int], list[Any]]
"""A stage in Ray's store: its pickle, the numbers of its large arguments, and those."""


_LEAD = LinkId(0, 0)
"""The first replica, which bears the run's name."""
_CONNECT_S = 0.5
"""Longest that Ray's daemon on another host may take to accept a connection."""


class ReplicaPool:
    """Handles of a run's actors, by stage and number."""

    def __init__(self, plan: Plan, card: RunCard) -> None:
        self._plan = plan
        self._card = card
        self.actors: dict[LinkId, Any] = {}
        """The actors that were created and not ended."""
        self._doors: dict[LinkId, Door] = {}
        self._codes: dict[int, Code] = {}
        self._made_with: dict[LinkId, Code] = {}
        self._generations: dict[LinkId, int] = {}
        self._left: dict[LinkId, tuple[str, bool]] = {}
        self.opened: set[LinkId] = set()
        """Those that have built their nodes."""

    def create(self, packed: Sequence[tuple[bytes, list[int]]], large: Sequence[Packed]) -> None:
        """Ask Ray for all actors; returns before they are placed. What they share is put in its store once.

        Raises:
            StartError: Another run has the name; no actor was created then.
        """
        refs = [ray.put(one) for one in large]
        for stage, (code, numbers) in zip(self._plan.stages, packed, strict=True):
            self._codes[stage.index] = ray.put(code), numbers, [refs[number] for number in numbers]
            for number in range(stage.replicas):
                link = LinkId(stage.index, number)
                create = functools.partial(self._create, link)
                self.actors[link] = claim(self._card, create) if link == _LEAD else create()

    def use_code(self, stage: int, code: Code) -> None:
        """Create the successors of a stage's replicas with other code from now on."""
        self._codes[stage] = code

    def note_code(self, link: LinkId) -> None:
        """A replica has changed over to the newest code."""
        self._made_with[link] = self._codes[link.stage]

    def is_outdated(self, link: LinkId) -> bool:
        """Whether a replica has other code than the newest."""
        return self._made_with[link] is not self._codes[link.stage]

    def leave_host(self, link: LinkId, host: str, *, for_sure: bool) -> None:
        """Have the next actor in a replica's place live on another host, if one has room.

        Args:
            link: The replica.
            host: Ray's id of the host that it was on.
            for_sure: Whether that host is of no use, whatever can be seen of it. Else `look_at_host` is due.
        """
        self._left[link] = host, for_sure

    def look_at_host(self, link: LinkId) -> None:
        """See whether the host that a replica was on is there; if it is, the next one may live there, too."""
        host, for_sure = self._left.get(link, ("", True))
        if not for_sure and _is_there(host):
            del self._left[link]

    def replace(self, link: LinkId) -> None:
        """End an actor for good and create another one under its name; waits until Ray has freed that."""
        ray.kill(self.actors[link], no_restart=True)
        generation = self._generations[link] = self._generations.get(link, 0) + 1
        avoided, _ = self._left.pop(link, ("", True))
        self.actors[link] = create_again(functools.partial(self._create, link, generation=generation, avoided=avoided))

    def epoch_of(self, link: LinkId) -> int:
        """The epoch of what a replica sends now."""
        return epoch_of(self._card.epoch, link, self._generations.get(link, 0))

    def _create(self, link: LinkId, *, generation: int = 0, avoided: str = "") -> Any:
        stage, number, is_lead = self._plan.stages[link.stage], link.replica, link == _LEAD
        self._made_with[link] = code, numbers, arguments = self._codes[link.stage]
        title = f"{self._plan.name}/{stage.name}/{number}"
        outline = pack_outline(self._plan) if is_lead else None
        factory: Any = ray.remote(concurrency_groups=CONCURRENCY_GROUPS)(ReplicaActor)  # type: ignore[call-overload]  # Ray's types lack the option
        if avoided:  # a host that stands still may have a copy of it too, and Ray might wait for that one
            code = ray.get(code)
        door = Door.make() if self._plan.options.streams else None
        options = factory.options(
            name=lead_name(self._card) if is_lead else replica_name(self._card, self._plan.name, stage.name, number),
            namespace=NAMESPACE,
            lifetime="detached",
            max_restarts=0,
            max_task_retries=0,
            enable_task_events=False,
            **wishes_of(stage.first, avoided=avoided),
        )
        if door is not None:
            self._doors[link] = door
        return options.remote(
            title, code, self._plan.options, number, generation, self._card, outline, door, numbers, *arguments
        )

    def others(self) -> list[str]:
        """Names of the runs, this one left out, that have replicas on the cluster."""
        return others(self._card)

    def host(self, link: LinkId, on_done: Done) -> None:
        """Ask one actor where it was placed."""
        ask(self.actors[link].host, link, on_done)

    def set_up_host(self, link: LinkId, on_done: Done) -> None:
        """Have one actor set its host up for its stage."""
        ask(self.actors[link].set_up_host, link, on_done)

    def open(self, link: LinkId, on_done: Done) -> None:
        """Have one actor connect to the next stages and to replica 0 of its own, and build its nodes."""
        edges = self._plan.stages[link.stage].edges
        targets = {edge.target: self._of_stage(edge.target) for edge in edges}
        ask(self.actors[link].open, link, on_done, targets, self.actors[LinkId(link.stage, 0)])

    def peer(self, link: LinkId) -> Peer:
        """A replica, as its peers are told of it."""
        return self.actors[link], self._doors.get(link)

    def _of_stage(self, stage: int) -> list[Peer]:
        return [self.peer(link) for link in self.actors if link.stage == stage]

    def by_stage(self) -> dict[int, list[Peer]]:
        """All replicas, in the order of their numbers."""
        return {stage.index: self._of_stage(stage.index) for stage in self._plan.stages}

    def collect(self, link: LinkId, on_done: Done) -> None:
        """Ask one actor for its next report."""
        ask(self.actors[link].collect, link, on_done)

    def cancel(self, link: LinkId, on_done: Done, roots: Sequence[int], calls: Sequence[int]) -> None:
        """Tell one actor to give up inputs."""
        ask(self.actors[link].cancel, link, on_done, roots, calls)

    def renew(self, told: Callable[[LinkId, Any, Future[Any]], None]) -> None:
        """Tell every actor that its driver lives; each says where it is, which is told with the actor."""
        for link, actor in list(self.actors.items()):
            ask(actor.renew, link, functools.partial(_with_actor, told, actor))

    def stop(self, *, finish: bool) -> None:
        """End all actors at once; those that do not close their nodes in time, or have none, are killed as they are."""
        answers: list[Future[Any]] = [self.actors[link].stop.remote(finish).future() for link in self.opened]
        try:
            wait_futures(answers, timeout=FINISH_S if finish else CLOSE_S)
        finally:
            for actor in self.actors.values():
                ray.kill(actor, no_restart=True)
            self.actors.clear()
            self.opened.clear()
            self._codes.clear()  # and with them goes what lies in the store: a handle of the run may live on
            self._made_with.clear()


def _with_actor(told: Callable[[LinkId, Any, Future[Any]], None], actor: Any, link: LinkId, done: Future[Any]) -> None:
    told(link, actor, done)


def ask(method: Any, link: LinkId, on_done: Done, *arguments: Any) -> None:
    """Call a method of an actor, and have its answer told; `on_done` runs in a thread of Ray's and may only enqueue."""
    answer: Future[Any] = method.remote(*arguments).future()
    answer.add_done_callback(lambda done: on_done(link, done))


def hosts() -> list[Host]:
    """The hosts of the cluster, with what they have and what is free."""
    free = free_by_host()
    return [
        Host(node["NodeManagerAddress"], node["Resources"], free.get(node["NodeID"]), node.get("Labels", {}))
        for node in ray.nodes()  # type: ignore[no-untyped-call]  # Ray has no types for it
        if node["Alive"]
    ]


def _is_there(host: str) -> bool:
    """Whether Ray's daemon on a host takes connections. Ray itself has actors placed there until it has seen that."""
    node = next((node for node in ray.nodes() if node["NodeID"] == host and node["Alive"]), None)  # type: ignore[no-untyped-call]  # as above
    if node is None:
        return False
    try:
        socket.create_connection((node["NodeManagerAddress"], node["NodeManagerPort"]), timeout=_CONNECT_S).close()
    except OSError:
        return False
    return True
