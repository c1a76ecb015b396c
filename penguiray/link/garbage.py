"""The garbage collector waits while many objects are made, none of which can be garbage yet.

Decoding a frame makes thousands of objects at once. Python looks through the youngest after each few hundred of them,
and from time to time through all that the process has: in a caller that keeps its results this took as long as
everything else that is done for them.
"""

from __future__ import annotations

import gc
import threading

__all__ = ["uncollected"]


class _Uncollected:
    """Context in which nothing is collected; what is due then is collected after it. Of the whole process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._was_enabled = False

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._was_enabled:
                gc.enable()


uncollected = _Uncollected()
