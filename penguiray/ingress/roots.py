"""Which inputs are not done, and what of them is open. Pure.

A root is done when every message that came from it was announced and finished; a finished message announces its
outputs. Reports come in any order and may come again. In general that takes a ledger for each root. In a straight flow,
whose stages each give at most one message for one, the last stage that has reported says as much.
"""

from __future__ import annotations

import enum
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from penguiray.link.ids import call_of, child_id, first_id
from penguiray.link.ledger import Ledger
from penguiray.link.report import Chosen
from penguiray.plan.plan import Plan, Stage, goes_along

__all__ = ["GeneralRoots", "News", "Roots", "StraightRoots", "roots_for"]


class News(enum.IntEnum):
    """What a report about a message says about its root; a number, since many of them are counted at once."""

    KNOWN = 0
    """Nothing new: the message was finished before, or its root is not followed."""
    OPEN = 1
    """The message is finished, others of its root are not."""
    DONE = 2
    """The root is done."""
    OVER = 3
    """The root has more messages than it may have, and is not followed any further."""


class Roots(Protocol):
    """All roots of a run that are not done."""

    def __len__(self) -> int: ...

    def __contains__(self, root: object) -> bool: ...

    def __iter__(self) -> Iterator[int]: ...

    def announce(self, roots: Sequence[int], columns: Sequence[Sequence[int]]) -> None:
        """Follow roots from their first messages on: for each source a column of their ids."""
        ...

    def finish(self, stage: Stage, root: int, message_id: int, count: int, chosen: Chosen | None = None) -> News:
        """A stage has finished a message, which had so many outputs; `chosen` says where they went, if not all ways."""
        ...

    def finish_column(self, stage: Stage, roots: Sequence[int]) -> list[News] | None:
        """`finish` for many messages of a stage, each of which had one output that went all ways.

        None: they are to be finished one after the other, since some may be of one root.
        """
        ...

    def park(self, stage: Stage, root: int, message_id: int) -> None:
        """A message waits at a join."""
        ...

    def stuck_at(self, root: int) -> int | None:
        """The join at which a root waits whose other messages are all finished; None for any other root."""
        ...

    def parked_at(self, root: int, stage: int) -> Iterator[int]:
        """Ids of a root's messages that wait at that join."""
        ...

    def of_call(self, call: int) -> list[int]:
        """Roots of a call that are not done."""
        ...

    def missing(self, held: Container[int]) -> dict[int, frozenset[int]]:
        """Roots of which something is under way that nobody has, given the ids that somebody has.

        With each marks for what is missing: the same as at the count before means that it is lost, and not on its way.
        A message has another mark when it is parked, since that may be told later than who holds what. A root of which
        somebody has a message that was finished before is on its way once more, and nothing of it is missing yet.
        """
        ...

    def is_finished(self, stage: int, root: int, message_id: int) -> bool:
        """Whether a message of a stage is finished, or its root is not followed."""
        ...

    def drop(self, roots: Iterable[int]) -> None:
        """Follow these roots no further."""
        ...

    def clear(self) -> None:
        """Follow no root any further."""
        ...


def roots_for(plan: Plan) -> Roots:
    """The way to follow roots that the plan needs."""
    return StraightRoots(plan) if plan.is_straight else GeneralRoots(plan.options.max_live_messages)


class StraightRoots:
    """For a chain of stages that each give at most one message for one: how many of them have finished a root's.

    That a stage has finished it says so of all before it, whether they tell it later or never (`Stage.passes_on`).
    """

    __slots__ = ("_chain", "_finished")

    def __init__(self, plan: Plan) -> None:
        self._chain = _chain(plan)
        self._finished: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._finished)

    def __contains__(self, root: object) -> bool:
        return root in self._finished

    def __iter__(self) -> Iterator[int]:
        return iter(self._finished)

    def announce(self, roots: Sequence[int], columns: Sequence[Sequence[int]]) -> None:  # noqa: ARG002 - see Roots
        """See `Roots`; ids are not needed, since a stage has one message of a root."""
        self._finished.update(dict.fromkeys(roots, 0))

    def finish(
        self,
        stage: Stage,
        root: int,
        message_id: int,  # noqa: ARG002 - see above
        count: int,
        chosen: Chosen | None = None,  # noqa: ARG002
    ) -> News:
        """See `Roots`; a message without outputs ends its root, so no later stage will report."""
        (news,) = self._finish(stage.index + 1 if count else len(self._chain), [root])
        return news

    def finish_column(self, stage: Stage, roots: Sequence[int]) -> list[News]:
        """See `Roots`."""
        return self._finish(stage.index + 1, roots)

    def _finish(self, after: int, roots: Sequence[int]) -> list[News]:
        """So many stages have finished the messages of these roots, or need not."""
        finished, whole = self._finished, len(self._chain)
        if after == whole:
            pop, known, done = finished.pop, News.KNOWN, News.DONE
            return [known if pop(root, None) is None else done for root in roots]
        news = []
        for root in roots:
            is_new = finished.get(root, whole) < after
            news.append(News.OPEN if is_new else News.KNOWN)
            if is_new:
                finished[root] = after
        return news

    def park(self, stage: Stage, root: int, message_id: int) -> None:
        """See `Roots`; a straight flow has no join."""

    def stuck_at(self, root: int) -> None:
        """See `Roots`."""

    def parked_at(self, root: int, stage: int) -> Iterator[int]:  # noqa: ARG002 - see Roots
        """See `Roots`."""
        return iter(())

    def of_call(self, call: int) -> list[int]:
        """See `Roots`."""
        return [root for root in self._finished if call_of(root) == call]

    def missing(self, held: Container[int]) -> dict[int, frozenset[int]]:
        """See `Roots`; the one message of a root is behind the last stage that has told of it."""
        return {
            root: frozenset([finished]) for root, finished in self._finished.items() if not self._is_held(root, held)
        }

    def _is_held(self, root: int, held: Container[int]) -> bool:
        first, *others = self._chain
        message_id = first_id(root, first)
        if message_id in held:
            return True
        for stage in others:
            message_id = child_id(message_id, stage)
            if message_id in held:
                return True
        return False

    def is_finished(self, stage: int, root: int, message_id: int) -> bool:  # noqa: ARG002 - a root has one in a stage
        """See `Roots`."""
        return root not in self._finished or self._finished[root] > stage

    def drop(self, roots: Iterable[int]) -> None:
        """See `Roots`."""
        for root in roots:
            del self._finished[root]

    def clear(self) -> None:
        """See `Roots`."""
        self._finished.clear()


def _chain(plan: Plan) -> list[int]:
    """The stages of a straight flow, in the order in which a message passes them."""
    chain = [plan.sources[0]]
    while edges := plan.stages[chain[-1]].edges:
        chain.append(edges[0].target)
    return chain


class GeneralRoots:
    """For any flow: a ledger for each root, which may remember so many messages."""

    __slots__ = ("_ledgers", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._ledgers: dict[int, Ledger] = {}

    def __len__(self) -> int:
        return len(self._ledgers)

    def __contains__(self, root: object) -> bool:
        return root in self._ledgers

    def __iter__(self) -> Iterator[int]:
        return iter(self._ledgers)

    def announce(self, roots: Sequence[int], columns: Sequence[Sequence[int]]) -> None:
        """See `Roots`."""
        for root, message_ids in zip(roots, zip(*columns, strict=True), strict=True):
            self._ledgers[root] = Ledger(message_ids)

    def finish(self, stage: Stage, root: int, message_id: int, count: int, chosen: Chosen | None = None) -> News:
        """See `Roots`."""
        ledger = self._ledgers.get(root)
        if ledger is None:
            return News.KNOWN
        outputs: Iterable[int] = ()
        if count and stage.edges:
            outputs = _output_ids(stage, message_id, count, chosen)
            if count > self._limit:
                outputs = islice(outputs, self._limit)
        if not ledger.finish(message_id, outputs):
            return News.KNOWN
        is_over = len(ledger.finished) + len(ledger.open) > self._limit and not ledger.is_done
        if not is_over and (ledger.open or ledger.parked):
            return News.OPEN
        del self._ledgers[root]
        return News.OVER if is_over else News.DONE

    def finish_column(self, stage: Stage, roots: Sequence[int]) -> None:
        """See `Roots`."""

    def park(self, stage: Stage, root: int, message_id: int) -> None:
        """See `Roots`."""
        if root in self._ledgers:
            self._ledgers[root].park(message_id, stage.index)

    def stuck_at(self, root: int) -> int | None:
        """See `Roots`."""
        ledger = self._ledgers.get(root)
        return None if ledger is None else ledger.stuck_at

    def parked_at(self, root: int, stage: int) -> Iterator[int]:
        """See `Roots`."""
        return (message_id for message_id, at in self._ledgers[root].parked.items() if at == stage)

    def of_call(self, call: int) -> list[int]:
        """See `Roots`."""
        return [root for root in self._ledgers if call_of(root) == call]

    def missing(self, held: Container[int]) -> dict[int, frozenset[int]]:
        """See `Roots`."""
        found = {
            root: frozenset(mark for one, mark in ledger.unfinished() if one not in held)
            for root, ledger in self._ledgers.items()
            if not any(one in held for one in ledger.finished)
        }
        return {root: ids for root, ids in found.items() if ids}

    def is_finished(self, stage: int, root: int, message_id: int) -> bool:  # noqa: ARG002 - ids name their stages
        """See `Roots`."""
        ledger = self._ledgers.get(root)
        return ledger is None or message_id in ledger.finished

    def drop(self, roots: Iterable[int]) -> None:
        """See `Roots`."""
        for root in roots:
            del self._ledgers[root]

    def clear(self) -> None:
        """See `Roots`."""
        self._ledgers.clear()


def _output_ids(stage: Stage, message_id: int, count: int, chosen: Chosen | None) -> Iterator[int]:
    """Ids of the messages that the outputs of a finished message became."""
    if isinstance(chosen, dict):
        for index in range(count):
            for edge in stage.edges:
                if goes_along(edge, chosen.get(index)):
                    yield child_id(message_id, edge.target, index)
        return
    for edge in stage.edges:
        if goes_along(edge, chosen):
            for index in range(count):
                yield child_id(message_id, edge.target, index)
