"""Closes groups at joins that can get no more messages: one that waits for nothing would wait for ever."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from penguiray.ingress.call import Call
from penguiray.ingress.roots import Roots
from penguiray.link.frame import Kind
from penguiray.link.ids import call_of
from penguiray.link.message import Messages
from penguiray.link.report import Report
from penguiray.link.sender import Sender
from penguiray.plan.plan import Plan

__all__ = ["Joins"]


class Joins:
    """The joins of a plan, as the caller's side sees them.

    A group of one input is closed once nothing else of that input is under way; a group of a key once the call's other
    inputs are done or wait at a join, too. The word names messages that wait, and closes only groups that hold one of
    them: it may be said twice, and arrive when a loop has begun a new group.
    """

    def __init__(self, plan: Plan, roots: Roots, sender: Sender, calls: Mapping[int, Call]) -> None:
        """Look at the joins of a plan.

        Args:
            plan: What runs.
            roots: All inputs that are not done.
            sender: Leads to the joins.
            calls: Those that are open, by number.
        """
        self._plan = plan
        self._roots = roots
        self._sender = sender
        self._calls = calls
        self._has_joins = bool(plan.joins)

    def look(self, report: Report) -> list[int]:
        """Close what can get no more messages after a report; gives the inputs of which all now waits at a join."""
        if not self._has_joins:
            return []
        parked: list[int] = []
        touched = {*report.roots, *(root for root, _ in report.parked), *(failure.root for failure in report.failures)}
        ending: dict[int, list[tuple[int, int]]] = {}
        for root in touched:
            call = self._calls.get(call_of(root))
            if call is None:
                continue
            call.parked.discard(root)
            stage = self._roots.stuck_at(root)
            if stage is None:
                continue
            if self._is_by_key(stage):
                call.park(root)
                parked.append(root)
            else:
                ending.setdefault(stage, []).append((root, next(iter(self._roots.parked_at(root, stage)))))
        for stage, waiting in ending.items():
            self._say(stage, 0, waiting)
        for number in {call_of(root) for root in touched} & self._calls.keys():
            self.close_keys(self._calls[number])
        return parked

    def close_again(self, stage: int) -> None:
        """Say once more which groups of a join are as large as they get: the word may have been lost on its way."""
        if stage in self._plan.joins and not self._is_by_key(stage):
            stuck = [root for root in self._roots if self._roots.stuck_at(root) == stage]
            if stuck:
                self._say(stage, 0, [(root, next(iter(self._roots.parked_at(root, stage)))) for root in stuck])

    def _is_by_key(self, stage: int) -> bool:
        rule = self._plan.stages[stage].last.join
        return rule is not None and rule.is_by_key

    def close_keys(self, call: Call) -> None:
        """Close the first join by key if no other input of the call can bring it a message, or too many wait."""
        waits_for_all = call.has_ended and call.live == len(call.parked)
        if not call.parked or not (waits_for_all or call.outside > self._plan.options.max_live_messages):
            return
        at = {root: self._roots.stuck_at(root) for root in call.parked}
        first = min(stage for stage in at.values() if stage is not None)
        call.parked = {root for root, stage in at.items() if stage != first}
        waiting = [(root, found) for root in at.keys() - call.parked for found in self._roots.parked_at(root, first)]
        self._say(first, call.number, waiting)

    def _say(self, stage: int, call: int, waiting: Iterable[tuple[int, int]]) -> None:
        """Close the groups that hold these messages, given as root and id."""
        roots, ids = zip(*waiting, strict=True)
        self._sender.control(
            Kind.CLOSE, stage, call=call, messages=Messages(list(roots), list(ids), [None] * len(roots))
        )
