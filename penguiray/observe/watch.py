"""Says which calls take long, so that nothing hangs in silence. Pure: what replicas told in, sentences out.

A call that takes long is healthy as far as penguiray knows: only `timeout_s` ends it. It is spoken of once, and again
each time that it has taken twice as long.
"""

from __future__ import annotations

from collections.abc import Sequence

from penguiray.draw.amounts import counted
from penguiray.link.frame import LinkId
from penguiray.link.running import RunningCall
from penguiray.plan.plan import Plan

__all__ = ["CallWatch", "look_every_s"]

_LOOK_S = 10.0


def look_every_s(report_after_s: float) -> float:
    """How often to look at a replica's calls, in seconds."""
    return min(_LOOK_S, report_after_s / 3)


class CallWatch:
    """The calls of one run that are under way, as its replicas have told."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._after_s = plan.options.report_after_s
        self._silent_after_s = self._after_s + look_every_s(self._after_s)
        self._calls: dict[LinkId, Sequence[RunningCall]] = {}
        self._due: dict[LinkId, dict[tuple[str, int], tuple[float, float]]] = {}
        self._heard: dict[LinkId, tuple[float, float]] = {}

    def look(self, replica: LinkId, calls: Sequence[RunningCall], now: float) -> list[str]:
        """Take in which calls a replica is at; gives a sentence for each that has to be spoken of."""
        before, due = self._due.get(replica, {}), dict[tuple[str, int], tuple[float, float]]()
        said = []
        for call in calls:
            key = call.node, call.message_id
            next_s, age_s = before.get(key, (self._after_s, 0.0))
            if call.age_s < age_s:  # another attempt at the same message
                next_s = self._after_s
            if call.age_s >= next_s:
                said.append(self._sentence(replica, call))
            due[key] = _later(next_s, call.age_s), call.age_s
        self._calls[replica], self._due[replica] = calls, due
        self._heard[replica] = now, self._silent_after_s
        return said

    def forget(self, replica: LinkId) -> None:
        """A replica was lost, with its calls."""
        for known in (self._calls, self._due, self._heard):
            known.pop(replica, None)

    def silent(self, now: float) -> list[str]:
        """A sentence for each replica that has not been heard of for long: nobody can say what it is at."""
        said = []
        for replica, (heard, next_s) in self._heard.items():
            if now - heard >= next_s:
                said.append(
                    f"run {self._plan.name!r}: replica {replica.replica} of {self._plan.stages[replica.stage].name!r} "
                    f"has not answered for {now - heard:.0f} s: a node's code does not let go of the interpreter, or "
                    f"its host stands still"
                )
                self._heard[replica] = heard, _later(next_s, now - heard)
        return said

    def longest_s(self) -> dict[str, float]:
        """For each node with a call under way, how long the longest had taken when its replica was last looked at."""
        longest: dict[str, float] = {}
        for calls in self._calls.values():
            for call in calls:
                longest[call.node] = max(longest.get(call.node, 0.0), call.age_s)
        return longest

    def _sentence(self, replica: LinkId, call: RunningCall) -> str:
        what = f"message {call.message_id}"
        if call.messages > 1:
            what = f"a batch of {counted(call.messages, 'message')}, the first of them {call.message_id}"
        return (
            f"run {self._plan.name!r}: node {call.node!r}, replica {replica.replica}, has been on {what} (trace "
            f"{call.trace_id}) for {call.age_s:.0f} s; it may go on, since only timeout_s= would end the call"
        )


def _later(due_s: float, age_s: float) -> float:
    """When to speak of it next: the first of due, twice due, four times due ... that is still to come."""
    while due_s <= age_s:
        due_s *= 2
    return due_s
