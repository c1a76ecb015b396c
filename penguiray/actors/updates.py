"""Another version of a node in a run that works: every replica builds it beside the present one, then all change over.

    load, set_up_next_host, open_next ──> in all replicas ──> switch ──> done
                                     └──> one fails, or is lost ──> drop_next in all: the run goes on as before

All of it runs on the engine's thread: each answer of Ray's posts the next step to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

import ray

from penguiray.actors.lost import GONE, how_lost
from penguiray.actors.opening import Opening, Step, Told
from penguiray.actors.pool import Code, ReplicaPool, ask
from penguiray.actors.ship import Parcels
from penguiray.control.host_setup import HostSetups
from penguiray.errors import FlowError, PenguirayError, StartError
from penguiray.ingress.engine import Update
from penguiray.link.frame import LinkId
from penguiray.plan.plan import Plan

__all__ = ["Updates", "packed_stage"]

Post = Callable[[Callable[[], None]], None]


def packed_stage(plan: Plan, stage: int) -> Code:
    """A stage's code in Ray's store; may be called from any thread.

    Raises:
        FlowError: A node cannot be pickled.
    """
    parcels = Parcels(plan.options.inline_limit_bytes)
    code, numbers = parcels.pack(plan)[stage]
    return ray.put(code), numbers, [ray.put(parcels.large[number]) for number in numbers]


class _Building(Opening):
    """Replicas that build the next version of their nodes."""

    def __init__(
        self, plan: Plan, stage: int, name: str, code: Code, pool: ReplicaPool, told: Told, links: Iterable[LinkId]
    ) -> None:
        self.plan = plan
        """The plan with the next version."""
        self.stage = stage
        """The stage that has it."""
        self.code = code
        """That stage, in Ray's store."""
        self.links = list(links)
        """Those that are to change over."""
        self.hosts = HostSetups()
        """Hosts that are set up for it."""
        self._name = name
        super().__init__(plan, pool, told, self.hosts, self.links)

    def add(self, link: LinkId) -> None:
        """One more replica is to change over."""
        self.links.append(link)
        self.waiting.add(link)
        self._ask(link, self._first_step(link))

    def _first_step(self, link: LinkId) -> Step:  # noqa: ARG002 - each is to load the code
        return "placed"

    def _ask(self, link: LinkId, step: Step) -> None:
        actor = self.pool.actors[link]
        if step == "placed":
            ref, numbers, large = self.code
            told = lambda link, done: self._told("placed", link, done)  # noqa: E731 - two of them would need names
            ask(actor.load, link, told, self._name, ref, numbers, *large)
        else:
            method = actor.set_up_next_host if step == "set up" else actor.open_next
            ask(method, link, lambda link, done: self._told(step, link, done))


class Updates:
    """The updates of a run, one at a time."""

    def __init__(
        self,
        plan: Plan,
        pool: ReplicaPool,
        hosts: HostSetups,
        *,
        post: Post,
        use: Callable[[Plan], None],
    ) -> None:
        """Nothing is updated.

        Args:
            plan: What runs.
            pool: The replicas.
            hosts: Those that are set up for successors.
            post: Has the engine's thread call a function; from any thread.
            use: Told the plan once its replicas have built it.
        """
        self._plan = plan
        self._pool = pool
        self._hosts = hosts
        self._post = post
        self._use = use
        self._update: Update | None = None
        self._building: _Building | None = None
        self._switching: set[LinkId] = set()
        self._expected: set[Update] = set()
        self._closed: Exception | None = None

    def expect(self, update: Update) -> None:
        """An update is about to begin; it ends with the run in any case. From any thread."""
        self._expected.add(update)
        if self._closed is not None:
            update.end(self._closed)

    def begin(self, update: Update, base: Plan, name: str, code: Code) -> None:
        """Have the replicas of a stage build its next version.

        Args:
            update: Told how it ends.
            base: The plan that the code was made from.
            name: The node that is another one in it.
            code: Its stage, in Ray's store.
        """
        plan, stage = update.plan, update.stage
        if self._update is not None or base is not self._plan:
            self._expected.discard(update)
            update.end(FlowError(f"run {plan.name!r} is being updated already; wait for that, then update again"))
            return
        links = [link for link in self._pool.opened if link.stage == stage]
        self._update = update
        self._building = _Building(
            plan, stage, name, code, self._pool, lambda *told: self._post(lambda: self._take(update, *told)), links
        )
        if not links:  # all are being replaced at this moment: their successors begin with it
            self._switch(self._building)

    def _take(self, update: Update, step: Step, link: LinkId, done: Future[Any]) -> None:
        building = self._building
        if building is None or update is not self._update:
            return
        if isinstance(done.exception(), GONE):
            self.lost(link, done.exception())
            return
        try:
            building.take(step, link, done)
        except StartError as error:
            self._give_up(building, error)
            return
        if not building.waiting:
            self._switch(building)

    def lost(self, link: LinkId, error: BaseException | None) -> None:
        """A replica is gone without: if it was to change over, none does. Its successor knows nothing of that."""
        if self._building is not None and link in self._building.links:
            why = f"a replica was lost meanwhile ({how_lost(error)}), so nothing was updated; update the run again"
            self._give_up(self._building, StartError(why))

    def _give_up(self, building: _Building, error: PenguirayError) -> None:
        for link in building.links:
            if link in self._pool.opened:
                self._pool.actors[link].drop_next.remote()
        self._end(error)

    def _switch(self, building: _Building) -> None:
        """All have built it: whoever starts from now on begins with it, and the others change over."""
        self._building = None
        self._plan = building.plan
        self._pool.use_code(building.stage, building.code)
        self._hosts.take_over(building.stage, building.hosts)
        self._use(building.plan)
        self._switching = set(building.links)
        for link in building.links:
            ask(self._pool.actors[link].switch, link, lambda *told: self._post(lambda: self._switched(*told)))
        if not self._switching:
            self._end(None)

    def _switched(self, link: LinkId, done: Future[Any]) -> None:
        error = done.exception()
        if error is None:
            self._pool.note_code(link)
        elif not isinstance(error, GONE):  # of one that was lost, the successor has the new code
            raise error
        self._switching.discard(link)
        if not self._switching:
            self._end(None)

    def _end(self, error: PenguirayError | None) -> None:
        update, self._update, self._building = self._update, None, None
        if update is not None:
            self._expected.discard(update)
            update.end(error)

    def join(self, link: LinkId) -> None:
        """A successor works, with the present version: where another one is being built, it builds that, too."""
        if self._building is not None and link.stage == self._building.stage:
            self._building.add(link)

    def close(self, error: Exception) -> None:
        """The run ends: so does what waits for an update."""
        self._closed = error
        for update in list(self._expected):
            update.end(error)
