"""A process that collects a replica's news: the one that started the run, or one that attached to it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_futures

from penguiray.clock import Clock
from penguiray.control.lease import Lease
from penguiray.graph.policies import FlowOptions
from penguiray.link.report import Report
from penguiray.link.running import RunningCall
from penguiray.link.wire import Packed, pack_report
from penguiray.observe.watch import look_every_s

__all__ = ["MOST_ATTACHED", "Reader"]

MOST_ATTACHED = 8
"""Processes that may be attached to a run at the same time; each needs a thread in every replica."""

_STATUS_S = 2.0
"""Attached processes are told the counters at least so often."""


class Reader:
    """What one process has been told. `collect` is called from one thread at a time, which waits here."""

    def __init__(self, options: FlowOptions, *, node: str, clock: Clock, is_owner: bool) -> None:
        """Begin to keep its lease.

        Args:
            options: Of the flow.
            node: Name of the stage's last node, whose results these are.
            clock: The process's.
            is_owner: Whether it started the run. It is told something when there is news; others, who come late and
                may send nothing, are told the counters from time to time, too.
        """
        self._options = options
        self._node = node
        self._clock = clock
        self._is_owner = is_owner
        self._look_s = look_every_s(options.report_after_s)
        self._next_look = 0.0
        self._taking: Future[Report | Packed | None] | None = None
        self._known: set[str] = set()
        self.news = threading.Event()
        """Set when there is something to be told."""
        self.lease = Lease(clock.now())
        """How long it may be silent."""

    def report(
        self,
        check: Callable[[], None],
        take: Callable[[], Future[Report | Packed | None]],
        pack: Callable[[Report], Packed],
    ) -> Packed | None:
        """Wait for news and encode them; None if there were none for a while, or the loop is held up.

        Args:
            check: Raises if the replica cannot go on.
            take: Has the loop hand over its report for this process; one that is packed already goes as it is.
            pack: Encodes a report.
        """
        if self._taking is None:
            if not self.news.wait(self._look_s if self._is_owner else min(_STATUS_S, self._look_s)) and self._is_owner:
                return None
            self.news.clear()
            self._taking = take()
        check()
        if not wait_futures([self._taking], timeout=self._look_s).done:
            return None
        taken, self._taking = self._taking.result(), None
        if taken is None:
            return None
        return pack(taken) if isinstance(taken, Report) else taken

    @property
    def is_taking(self) -> bool:
        """Whether the loop was asked for a report that no call has brought yet."""
        return self._taking is not None

    def pack(self, report: Report) -> Packed:
        """A report as bytes, with the classes that this process does not know yet."""
        return pack_report(
            report,
            self._known,
            inline_limit=self._options.inline_limit_bytes,
            node=self._node,
            limit=self._options.max_message_bytes,
        )

    def calls(self, look: Callable[[], list[RunningCall]]) -> list[RunningCall] | None:
        """The calls under way, None if they were told lately."""
        now = self._clock.now()
        if now < self._next_look:
            return None
        self._next_look = now + self._look_s
        return look()
