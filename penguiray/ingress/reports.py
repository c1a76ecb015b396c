"""What replicas tell is taken in: messages that are finished, results, failures, counts. Guarded as the calls are."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import Any

from penguiray.ingress.losses import Losses
from penguiray.ingress.outcomes import Outcomes
from penguiray.ingress.roots import News, Roots
from penguiray.link.failure import Failure
from penguiray.link.frame import LinkId
from penguiray.link.ids import call_of
from penguiray.link.report import Chosen, NodeCount, Report, sent_elsewhere
from penguiray.plan.plan import Plan, Stage

__all__ = ["Reports"]


class Reports:
    """Reports of all replicas; each is taken in once."""

    def __init__(self, plan: Plan, roots: Roots, losses: Losses, outcomes: Outcomes) -> None:
        """Nobody has told anything.

        Args:
            plan: What runs.
            roots: All inputs that are not done.
            losses: What is kept of them.
            outcomes: Where results and failures go.
        """
        self._plan = plan
        self._roots = roots
        self._losses = losses
        self._outcomes = outcomes
        self._counters: dict[LinkId, dict[str, NodeCount]] = {}
        self._gone: dict[str, NodeCount] = {}
        self._heard: dict[LinkId, int] = {}
        self._lost: set[LinkId] = set()

    def take(self, replica: LinkId, report: Report) -> bool:
        """Take a replica's news in; False if they came before."""
        if replica not in self._lost:  # the last word of one that was lost is not its successor's
            if 0 < report.number <= self.heard(replica):
                return False  # it came by a stream that broke, and once more
            self._heard[replica] = report.number
        stage = self._plan.stages[report.stage]
        for root, message_id in report.parked:
            self._roots.park(stage, root, message_id)
        for root, message_id in report.begun if replica not in self._lost else ():
            self._losses.note_begun(replica, report.stage, root, message_id)
        self._counters[replica] = report.counters
        for (root, message_id, index), value in zip(report.streamed, report.results, strict=False):
            if self._losses.is_new(stage.index, root, message_id, index):
                self._outcomes.deliver(stage, root, message_id, [value])
        self._take_finished(stage, report)
        for failure in report.failures:
            self.take_failure(stage, failure, report.destinations.get(failure.message_id))
        return True

    def heard(self, replica: LinkId) -> int:
        """Number of the last report of a replica that was taken in."""
        return self._heard.get(replica, 0)

    def note_loss(self, replica: LinkId) -> None:
        """A replica is gone for good; what it still says is no successor's."""
        self._lost.add(replica)
        self._heard.pop(replica, None)
        for name, count in self._counters.pop(replica, {}).items():
            self._gone[name] = self._gone.get(name, NodeCount()).plus(replace(count, places=0))

    def note_successor(self, replica: LinkId) -> None:
        """Another one has taken the place of a replica that was lost."""
        self._lost.discard(replica)
        self._counters.pop(replica, None)  # a late word of the one before it may have come

    def counts(self) -> dict[str, NodeCount]:
        """What each node did so far, over all its replicas."""
        sums = {node.name: NodeCount() for stage in self._plan.stages for node in stage.nodes}
        for counters in (self._gone, *self._counters.values()):
            for name, count in counters.items():
                sums[name] = sums[name].plus(count)
        for stage in reversed(self._plan.stages):
            if stage.passes_on:
                _add_untold(stage, sums, taken_next=sums[self._plan.stages[stage.edges[0].target].first.name].taken)
        return sums

    def _take_finished(self, stage: Stage, report: Report) -> None:
        gives_now = stage.is_end and not stage.last.signature.is_stream
        if not report.destinations and set(report.counts) == {1}:
            column = self._roots.finish_column(stage, report.roots)
            if column is not None:
                self._take_column(stage, report, column, report.results if gives_now else None)
                return
        finish, results, first, destinations = self._roots.finish, report.results, 0, report.destinations
        done: dict[int, Any] = {}
        for root, message_id, count in zip(report.roots, report.ids, report.counts, strict=True):
            chosen = destinations.get(message_id) if destinations else None
            values: list[Any] = []
            if gives_now:
                given = count if chosen is None else count - sent_elsewhere(chosen)
                values = results[first : first + given]
                first += given
            news = finish(stage, root, message_id, count, chosen)
            if news is News.DONE and len(values) == 1:
                done[root] = values[0]
                continue
            self._done_with_one(done)
            self._take_news(stage, root, message_id, news, values)
        self._done_with_one(done)

    def _done_with_one(self, done: dict[int, Any]) -> None:
        """Inputs are done, each with one more result; empties what it is given."""
        for number, mine in groupby(done.items(), key=lambda item: call_of(item[0])):
            roots, values = zip(*mine, strict=True)
            self._outcomes.done_many(number, roots, values)
        done.clear()

    def _take_column(self, stage: Stage, report: Report, news: list[News], results: list[Any] | None) -> None:
        """Take messages in that each gave one output; where all of a call are done, their results go on together."""
        roots, ids, kinds = report.roots, report.ids, set(news)
        if results is None:
            if kinds <= {News.OPEN, News.KNOWN}:
                return
        elif kinds == {News.DONE} and call_of(min(roots)) == call_of(max(roots)):
            self._outcomes.done_many(call_of(roots[0]), roots, results)
            return
        for place, one in enumerate(news):
            self._take_news(stage, roots[place], ids[place], one, [] if results is None else [results[place]])

    def _take_news(self, stage: Stage, root: int, message_id: int, news: News, values: list[Any]) -> None:
        if news is News.DONE:
            self._outcomes.done(root, values)
        elif news is News.OVER:
            self._outcomes.end_over_budget(stage, root, message_id)
        elif values and news is News.OPEN:
            self._outcomes.deliver(stage, root, message_id, values)

    def take_failure(self, stage: Stage, failure: Failure, chosen: Chosen | None) -> None:
        """A message was given up on."""
        news = self._roots.finish(stage, failure.root, failure.message_id, failure.outputs, chosen)
        self._losses.note_failure(failure, is_new=news is not News.KNOWN)
        if news is News.KNOWN:
            return
        self._outcomes.note_error(failure)
        if news is News.DONE:
            self._outcomes.done(failure.root, [])
        elif news is News.OVER:
            self._outcomes.end_over_budget(stage, failure.root, failure.message_id)


def _add_untold(stage: Stage, sums: dict[str, NodeCount], *, taken_next: int) -> None:
    """Count what a stage has surely given, since the next one took it, and has not told yet."""
    untold = max(0, taken_next - sums[stage.last.name].given)
    for count in [sums[node.name] for node in stage.nodes]:
        count.given += untold
        count.taken = max(count.taken, count.given + count.failed)  # some that it told of were under way then
