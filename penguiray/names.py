"""The names that this process runs: one run for each, and what happens when a name is started again."""

from __future__ import annotations

import logging
import os
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from penguiray.config import EngineName, is_notebook
from penguiray.errors import StartError
from penguiray.ingress.engine import Engine
from penguiray.lifecycle import Lifecycle

__all__ = ["name_for"]

_log = logging.getLogger("penguiray")
_naming = threading.RLock()
_running: weakref.WeakValueDictionary[tuple[EngineName, str], Engine] = weakref.WeakValueDictionary()
"""Weak, since what a run holds should go with it; an engine on Ray is held by its own thread while it runs."""


@contextmanager
def name_for(engine: EngineName, name: str, *, is_named: bool) -> Iterator[Callable[[Engine], None]]:
    """Make sure that this process runs nothing of that name; gives what takes the new run's engine.

    In a notebook the old run is stopped: a cell that is run again means the new one, and has lost the handle of the
    old. In a program it is more likely a mistake, and stopping a run that works would be the worse answer.

    Args:
        engine: Where the run will be; the two engines have names of their own.
        name: The run's name.
        is_named: Whether it is a name that somebody gave. What is only called "flow" replaces the old run of a
            notebook too, and is never refused.

    Raises:
        StartError: The name runs in this program.
    """
    with _naming:
        old = _running.get((engine, name))
        if old is not None and old.state in {"stopped", "failed"}:
            old.stop(finish=False)  # one that failed may still be ending its replicas, and the first has the name
        elif old is not None and is_notebook():
            Lifecycle(old, name).stop()
            _log.warning("the run %r of this notebook was stopped, because it was started again", name)
        elif old is not None and is_named:
            raise StartError(
                f"this program runs {name!r} already: drain or stop that run first, or start this one with another "
                f"name: flow.start(name=...)",
                run=name,
                host=socket.gethostname(),
                pid=os.getpid(),
            )

        def keep(started: Engine) -> None:
            if is_named or is_notebook():
                _running[engine, name] = started

        yield keep
