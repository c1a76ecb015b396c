"""The ways from a stage to the next ones: which of them an output takes, under what id, and how often round."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from penguiray.draw.amounts import counted
from penguiray.errors import BudgetExceeded
from penguiray.graph.spec import Loop
from penguiray.graph.values import Routed
from penguiray.link.failure import CarriedError, Failure
from penguiray.link.ids import child_id, child_ids, position_of
from penguiray.link.message import NO_HOPS, Hops, Messages
from penguiray.link.sender import Sender
from penguiray.plan.plan import Stage, StageEdge, goes_along
from penguiray.runtime.bound import Item

__all__ = ["Ways"]


class Ways:
    """Gives a stage's outputs to the sender, for each stage that they go to."""

    def __init__(self, stage: Stage, sender: Sender, *, on_over: Callable[[Failure], None]) -> None:
        """Know the edges.

        Args:
            stage: Whose outputs they are.
            sender: Its links to the next stages.
            on_over: Told of each message that went back too often: it ends here.
        """
        self._stage = stage
        self._sender = sender
        self._on_over = on_over
        self._choices = [
            (edge.back.takes, edge.back.leaves, edge.branch)
            for edge in stage.edges
            if edge.back is not None and edge.back.takes
        ]

    @property
    def choose(self) -> bool:
        """Whether an output's type may send it a way of its own."""
        return bool(self._choices)

    def pass_column_on(self, done: Messages) -> None:
        """Send many outputs on, the values of their inputs' messages; none goes a way of its own."""
        for edge in self._stage.edges:
            if goes_along(edge, None):
                ids = child_ids(done.ids, edge.target)
                hops = NO_HOPS if not done.hops else _moved(done.hops, done.ids, ids)
                self._sender.offer_all(edge.target, Messages(done.roots, ids, done.values, done.facts, hops))

    def pass_on(self, item: Item, index: int, output: Any) -> tuple[int | None, Any]:
        """Send an output to the next stages that it goes to; gives its destination and its bare value."""
        destination, value, key = self._way_of(output)
        if destination is not None:
            item.destinations = item.destinations or {}
            item.destinations[index] = destination
        for edge in self._stage.edges:
            if goes_along(edge, destination):
                message_id = child_id(item.message_id, edge.target, index)
                if edge.back is None:
                    self._sender.offer(edge.target, item.root, message_id, value, item.facts, item.hops, key)
                else:
                    self._send_back(edge, edge.back, item, message_id, value, key)
        return destination, value

    def _way_of(self, output: Any) -> tuple[int | None, Any, int | None]:
        """An output's destination, its bare value, and the hash of its key, where it has one."""
        key = None
        if type(output) is Routed:
            if output.destination is not None:
                return output.destination, output.value, output.key
            output, key = output.value, output.key
        for takes, leaves, branch in self._choices:
            if isinstance(output, takes) and not isinstance(output, leaves):
                return branch, output, key
        return None, output, key

    def _send_back(self, edge: StageEdge, loop: Loop, item: Item, message_id: int, value: Any, key: int | None) -> None:
        """Send a message round once more, unless it went round too often already: then it ends here."""
        hops = _hopped(item.hops, loop.number)
        if hops[loop.number] <= loop.max_hops:
            self._sender.offer(edge.target, item.root, message_id, value, item.facts, hops, key)
            return
        name = self._stage.last.name
        error = BudgetExceeded(
            f"input {position_of(item.root)} of its call went back from {name!r} to {edge.name!r} more than "
            f"{counted(loop.max_hops, 'time')}; let the loop end sooner, or raise max_hops of its pr.Back",
            node=name,
        )
        data, definitions = Failure.packed_value(value)
        self._on_over(Failure(item.root, message_id, name, 1, CarriedError.of(error), data, definitions))


def _moved(hops: Mapping[int, Hops], olds: Sequence[int], news: Sequence[int]) -> Mapping[int, Hops]:
    """The hops of messages under the ids of their only outputs."""
    return {new: hops[old] for old, new in zip(olds, news, strict=True) if old in hops}


def _hopped(hops: Hops | None, number: int) -> Hops:
    """Hops of a message that takes a back edge once more."""
    counted = [*(hops or ()), *([0] * (number + 1 - len(hops or ())))]
    counted[number] += 1
    return tuple(counted)
