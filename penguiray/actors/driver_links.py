"""The links of a driver: frames to the replicas, and what comes back, by calls and by streams."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any

from penguiray.actors.calls import CallTransport, Peer
from penguiray.actors.collector import CollectorWatch
from penguiray.actors.streams import Reported, StreamTransport
from penguiray.clock import Clock
from penguiray.graph.policies import FlowOptions
from penguiray.link.frame import Feedback, LinkId
from penguiray.link.wire import Refused

__all__ = ["DriverLinks"]


class DriverLinks:
    """A `StreamTransport`, and the thread in which its streams are read."""

    def __init__(
        self,
        options: FlowOptions,
        lock: AbstractContextManager[Any],
        clock: Clock,
        *,
        on_answer: Callable[[LinkId, Any, Future[Any]], None],
        on_feedback: Callable[[LinkId, Feedback], None],
        on_report: Reported,
        on_absence: Callable[[float], None],
        on_refused: Refused,
        on_error: Callable[[BaseException], None],
    ) -> None:
        """Prepare; the thread begins with `connect`.

        Args:
            options: The flow's limits.
            lock: Guards what is used from several threads.
            clock: Where time comes from.
            on_answer: See `CallTransport`.
            on_feedback: See `StreamTransport`.
            on_report: See `StreamTransport`.
            on_absence: See `StreamTransport`.
            on_refused: See `CallTransport`.
            on_error: Told of an error of ours in the thread: something may be lost.
        """
        calls = CallTransport(clock=clock, options=options, on_answer=on_answer, on_refused=on_refused)
        self._lock = lock
        self._on_error = on_error
        self.transport = StreamTransport(
            calls, lock, on_feedback=on_feedback, on_report=on_report, on_absence=on_absence
        )
        """Used under the lock."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._collector = CollectorWatch(self.transport.note_absence)

    def connect(self, peers: Mapping[int, Sequence[Peer]]) -> None:
        """Say who the replicas of each stage are; streams lead to those that may have one."""
        if any(door is not None for replicas in peers.values() for _, door in replicas):
            self._loop = asyncio.new_event_loop()
            self._loop.set_exception_handler(self._note_error)
            target = functools.partial(_run, self._loop, self._on_error)
            self._thread = threading.Thread(target=target, name="penguiray-streams", daemon=True)
            self._thread.start()
            self._collector.open()
        with self._lock:
            self.transport.connect(peers, self._loop)

    def _note_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            self._on_error(error)
        else:
            loop.default_exception_handler(context)

    def close(self) -> None:
        """End the streams and the thread; nothing is sent from here on."""
        self._collector.close()
        with self._lock:
            self.transport.close()
        if self._loop is not None and self._thread is not None:
            with contextlib.suppress(RuntimeError):  # it has ended with an error, which was told
                self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()


def _run(loop: asyncio.AbstractEventLoop, on_error: Callable[[BaseException], None]) -> None:
    try:
        loop.run_forever()
    except BaseException as error:  # noqa: BLE001 - sys.exit() in a user's unpickling, for instance
        on_error(error)
    finally:
        loop.close()
