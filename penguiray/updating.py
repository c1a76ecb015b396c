"""The part of a run that changes what it runs, while it does."""

from __future__ import annotations

from collections import deque
from typing import Any, Generic, TypeVar

from penguiray.errors import FlowError
from penguiray.graph.node import Node
from penguiray.graph.spec import FlowSpec
from penguiray.graph.update import updated
from penguiray.ingress.engine import Engine, Update
from penguiray.lifecycle import warn_in_loop
from penguiray.link.sendable import check_sendable
from penguiray.sending import Sending

__all__ = ["Updating"]

I = TypeVar("I")  # noqa: E741 - the input of a flow, as everywhere in this package
O = TypeVar("O")  # noqa: E741 - the output of a flow


class Updating(Sending[I, O], Generic[I, O]):
    """Puts other versions of nodes into a run."""

    def __init__(self, engine: Engine, spec: FlowSpec, *, began: float | None = None) -> None:
        super().__init__(engine, spec, began=began)
        self._updates: deque[tuple[FlowSpec, Update]] = deque()

    def update(self, node: Node[Any, Any] | str, new_node: Node[Any, Any]) -> None:
        """Go on with another version of a node: other code, another model, another limit.

        1. Every replica of the node builds the new one beside the old one, which works on meanwhile.
        2. When all have built it, each changes over between two calls. No input waits for more than the calls under
           way and their retries, none is lost, and none is worked on twice for it.
        3. The old one's `close()` is called.

        So both are in memory for a while. If the new one cannot be built in a replica, or one is lost meanwhile, all go
        on with the old one. An input may be worked on by the old version in one replica while another one has
        changed over. Other programs may be attached to the run. Ctrl-C ends the wait and not the update, but in the new
        one's own code on the local engine.

        Args:
            node: The node that runs now, or its name.
            new_node: What takes its place, under its name; options that it leaves unset stay as they are. What the run
                relies on must be the same: resources, replicas, concurrency, rate, delivery, whether it is async,
                yields, takes batches or a context, has a retry. What it takes and gives must fit its neighbours.

        Raises:
            FlowError: There is no such node, the new one cannot take its place, or cannot be pickled; or another update
                is under way. Nothing has changed then.
            StartError: The new one's constructor or `setup()` raised. The run goes on as before.
            RunClosed: The run ended.
        """
        warn_in_loop("update")
        self._wait_ready()
        update = self._begin_update(node, new_node)
        while not update.is_done:
            update.signal.wait(None)
        if update.error is not None:
            raise update.error

    async def aupdate(self, node: Node[Any, Any] | str, new_node: Node[Any, Any]) -> None:
        """Twin of `update` for async code."""
        await self.await_ready()
        update = self._begin_update(node, new_node)
        while not update.is_done:
            await update.signal.wait_async(None)
        if update.error is not None:
            raise update.error

    def _begin_update(self, node: Node[Any, Any] | str, new_node: Node[Any, Any]) -> Update:
        self._refuse_if_closing()
        if self._engine.ingress.failure is not None:
            raise self._engine.ingress.failure
        if not isinstance(new_node, Node):
            raise FlowError(f"run.update wants a node in the place of the one that runs, not {new_node!r}")
        name = node if isinstance(node, str) else node.name
        now = self._spec_now
        if self._updates:
            raise FlowError(f"run {self.name!r} is being updated already; wait for that, then update again")
        spec = updated(now, name, new_node.spec)
        new = next(one for one in spec.shape.nodes if one.name == name)
        check_sendable([new])
        update = self._engine.update(new)
        with self._engine.lock:
            self._updates.append((spec, update))
        return update

    @property
    def _spec_now(self) -> FlowSpec:
        """What the run runs; whoever began an update may have stopped waiting for it."""
        with self._engine.lock:
            while self._updates and self._updates[0][1].is_done:
                spec, update = self._updates.popleft()
                if update.error is None:
                    self._spec = spec
            return self._spec
