"""Where a replica's outputs and reports go: outputs to the next stages, reports and results to the caller's side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from penguiray.errors import DeadlineExceeded
from penguiray.link.failure import CarriedError, Failure
from penguiray.link.frame import Feedback, LinkId
from penguiray.link.ids import child_id, child_ids
from penguiray.link.message import Facts, Messages
from penguiray.link.report import NodeCount, Report
from penguiray.link.sender import Sender
from penguiray.plan.plan import Stage
from penguiray.runtime.bound import Item, Routed

__all__ = ["Outbox"]

_QUEUE_LIMIT = 2_000
"""Messages that may wait for credit, and results that may wait for the caller, before the replica takes no more."""

_REPORTS_PER_RESULT = 8
"""A finished message in a report is three numbers, so more of them may wait than results."""


class Outbox:
    """Collects what a replica gives. Used on the replica's loop only, `take_report` too.

    Nothing here waits. A worker asks `room()` between messages, so what is queued is bounded by the limits, in messages
    and in bytes by their mean size, and by what the calls in progress give at once.
    """

    def __init__(
        self,
        stage: Stage,
        sender: Sender,
        counters: Mapping[str, NodeCount],
        on_news: Callable[[], None],
        *,
        retention_bytes: int,
    ) -> None:
        self._stage = stage
        self._sender = sender
        self._counters = counters
        self._on_news = on_news
        self._retention_bytes = retention_bytes
        self._result_bytes = 0.0
        self._report = Report(stage.index)
        self._has_room = asyncio.Event()

    def finish(self, item: Item, outputs: list[Any]) -> None:
        """A message is finished, with these outputs."""
        self._note(item.root, item.message_id, len(outputs))
        if outputs and isinstance(outputs[0], Routed):
            self._report.branches[item.message_id] = outputs[0].branch
        for index, output in enumerate(outputs):
            self._pass_on(item, index, output)
        if self._stage.is_end:
            self._report.results += outputs

    def finish_column(self, done: Messages, outputs: list[Any], facts: Mapping[int, Facts]) -> None:
        """Messages are finished, with exactly one output each."""
        self._report.roots += done.roots
        self._report.ids += done.ids
        self._report.counts += [1] * len(outputs)
        for edge in self._stage.edges:
            ids = child_ids(done.ids, edge.target)
            self._sender.offer_all(edge.target, Messages(done.roots, ids, outputs, facts))
        if self._stage.is_end:
            self._report.results += outputs

    def finish_empty(self, roots: list[int], ids: list[int]) -> None:
        """Messages are finished and gave nothing."""
        self._report.roots += roots
        self._report.ids += ids
        self._report.counts += [0] * len(ids)

    def stream(self, item: Item, index: int, output: Any) -> None:
        """A message that is not finished has given one more output."""
        self._pass_on(item, index, output)
        if self._stage.is_end:
            self._report.streamed.append((item.root, item.message_id, index))
            self._report.results.append(output)

    def finish_stream(self, item: Item, count: int) -> None:
        """A message is finished whose outputs were all streamed."""
        self._note(item.root, item.message_id, count)

    def fail(self, item: Item, node: str, attempt: int, error: BaseException) -> None:
        """A message is given up on."""
        data, definitions = Failure.packed_value(item.value)
        is_late = isinstance(error, DeadlineExceeded) and error.timeout_s is None
        carried = CarriedError.of(error)
        self._report.failures.append(
            Failure(item.root, item.message_id, node, attempt, carried, data, definitions, item.sent, is_late)
        )

    def refuse(self, root: int, message_id: int, error: CarriedError) -> None:
        """A message could not be carried to or from this replica: it ends here, under the last node's name."""
        self._report.failures.append(Failure(root, message_id, self._stage.last.name, 1, error))
        self._on_news()

    def flush(self) -> None:
        """Send what may go, and tell the caller's side that there is news."""
        self._sender.flush()
        if self._report:
            self._on_news()

    def on_feedback(self, link: LinkId, feedback: Feedback) -> None:
        """A frame of ours was taken by its receiver."""
        self._sender.on_feedback(link, feedback)
        if not self.is_full:
            self._has_room.set()

    def take_report(self) -> Report:
        """All news since the last time; the counters are a copy of what they are now."""
        report, self._report = self._report, Report(self._stage.index)
        report.counters = {name: count.plus(NodeCount()) for name, count in self._counters.items()}
        if not self.is_full:
            self._has_room.set()
        return report

    @property
    def is_full(self) -> bool:
        """Whether the replica should wait before it gives more."""
        report = self._report
        reported = max(len(report.results), len(report.ids) // _REPORTS_PER_RESULT, len(report.failures))
        if self._sender.queued > _QUEUE_LIMIT or reported > _QUEUE_LIMIT:
            return True
        return self._sender.queued_bytes + len(report.results) * self._result_bytes > self._retention_bytes

    def note_results(self, count: int, nbytes: int) -> None:
        """Say how many bytes the results of a report had, so that those that wait are bounded in bytes too."""
        if count:
            self._result_bytes = nbytes / count

    async def room(self) -> None:
        """Wait until what is queued is below the limit."""
        while self.is_full:
            self._has_room.clear()
            await self._has_room.wait()

    def _note(self, root: int, message_id: int, count: int) -> None:
        self._report.roots.append(root)
        self._report.ids.append(message_id)
        self._report.counts.append(count)

    def _pass_on(self, item: Item, index: int, output: Any) -> None:
        branch = output.branch if isinstance(output, Routed) else None
        value = output.value if isinstance(output, Routed) else output
        for edge in self._stage.edges:
            if edge.branch is None or edge.branch == branch:
                message_id = child_id(item.message_id, edge.target, index)
                self._sender.offer(edge.target, item.root, message_id, value, item.facts)
