"""The thread of a node's sync code, which runs the replica's loop as long as it has nothing else to do.

    home thread   | runs the loop | a call of 2 s ............ | runs the loop
    helper thread |               | runs the loop ............ |

So all calls of a node are made in one thread, whatever they take: what it made in one call may be bound to that (a
connection of sqlite3, a context of a GPU). A short call needs no turn of threads, since it may be made on the loop; and
a long one does not keep the loop from its other work.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable
from contextvars import copy_context

from penguiray.graph.inside import enter_node

__all__ = ["Home"]


class Home:
    """Runs a loop and calls beside it; `run` is the home thread, the others belong to the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_broken: Callable[[], None]) -> None:
        """Prepare for a loop that nobody runs yet.

        Args:
            loop: The loop.
            on_broken: Called in the helper when something else than a stop has ended the loop there.
        """
        self._loop = loop
        self._on_broken = on_broken
        self._calls: deque[Callable[[], None]] = deque()
        self.context = copy_context()
        """Of all calls, however they are made."""
        self.context.run(enter_node, "sync")
        self._thread: int | None = None
        self._helper: threading.Thread | None = None
        self._go: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._left: queue.SimpleQueue[None] = queue.SimpleQueue()

    def run(self) -> None:
        """Run the loop, and what `call` is given, until the loop is stopped. Raises what ends the loop otherwise."""
        self._thread = threading.get_ident()
        self._loop.run_forever()
        while self._calls:
            self._run_calls()
            if not self._calls:
                self._loop.run_forever()
        self._go.put(False)

    def _run_calls(self) -> None:
        """Make the calls that there are, while the helper runs the loop."""
        if self._helper is None:
            name = f"{threading.current_thread().name}-helper"
            self._helper = threading.Thread(target=self._help, name=name, daemon=True)
            self._helper.start()
        self._go.put(True)
        while self._calls:
            self.context.run(self._calls.popleft())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._left.get()

    def _help(self) -> None:
        while self._go.get():
            try:
                self._loop.run_forever()
            except BaseException:
                self._on_broken()
                raise
            finally:
                self._left.put(None)

    @property
    def is_here(self) -> bool:
        """Whether it is the calling thread."""
        return threading.get_ident() == self._thread

    def call(self, function: Callable[[], None]) -> None:
        """Have something called in the home thread, which raises nothing; on the loop."""
        self._calls.append(function)
        is_leaving = len(self._calls) > 1  # a second stop would end a later run
        if self.is_here and not is_leaving:
            self._loop.stop()
