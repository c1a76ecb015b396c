"""Points of a message's life at which a replica's process kills itself, once each time that a test asks for it.

They are planted by a node's `setup()`, in the process that it runs in, round the methods of the real engine. To ask for
a death is to make a file; whoever comes to that point first puts its own name on it and dies, so one file is one death.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

POINTS = (
    "a frame came",
    "a frame was taken, and not answered",
    "before the function",
    "in the function",
    "in the middle of a stream",
    "the function has returned",
    "a frame was sent",
    "an attachment was passed on",
    "a report was made, and not told",
    "a report was told",
    "it says what it holds",
    "it hears of a loss",
)
LATE_S = 0.003
"""How long after something has left the process it dies."""


def ask(folder: Path, point: str) -> Path:
    """Ask for a death; gives the file that is gone once somebody has come to the point, and dies."""
    wanted = _wanted(folder, point)
    wanted.touch()
    return wanted


def at(folder: Path, point: str) -> None:
    """A process has come to a point."""
    try:
        _wanted(folder, point).rename(folder / f"{POINTS.index(point)}.{os.getpid()}.died")
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def died(folder: Path, point: str) -> set[int]:
    """The processes that died there."""
    return {int(file.name.split(".")[1]) for file in folder.glob(f"{POINTS.index(point)}.*.died")}


def _wanted(folder: Path, point: str) -> Path:
    return folder / f"{POINTS.index(point)}.wanted"


def plant(folder: Path) -> None:
    """Have this replica's process die where it is asked to."""
    from penguiray.actors.process import ReplicaProcess
    from penguiray.actors.streams import StreamTransport
    from penguiray.actors.telling import Teller
    from penguiray.runtime.outbox import Outbox
    from penguiray.runtime.replica import Replica

    for owner, method, before, after in (
        (Outbox, "finish", "the function has returned", ""),
        (Outbox, "finish_column", "the function has returned", ""),
        (Outbox, "finish_stream", "the function has returned", ""),
        (Replica, "held", "", "it says what it holds"),
        (ReplicaProcess, "note_peers", "it hears of a loss", ""),
    ):
        setattr(owner, method, _wrapped(folder, getattr(owner, method), before, after))
    receive, send, take, collect = Replica.receive, StreamTransport.send, Outbox.take_report, ReplicaProcess.collect
    tell = Teller._tell

    def received(self: Any, frame: Any, on_taken: Callable[[Any], None]) -> None:
        at(folder, "a frame came")

        def taken(feedback: Any) -> None:
            at(folder, "a frame was taken, and not answered")
            on_taken(feedback)

        receive(self, frame, taken)

    def sent(self: Any, frame: Any) -> int:
        size = send(self, frame)
        _later(folder, "a frame was sent")
        if size > 64 * 1024 and len(frame.messages) < 20:
            _later(folder, "an attachment was passed on")
        return size

    def took(self: Any, ingress: int = 0) -> Any:
        report = take(self, ingress)
        if report:
            at(folder, "a report was made, and not told")
        return report

    def collected(self: Any) -> Any:
        told = collect(self)
        if told[0] is not None:
            _later(folder, "a report was told")
        return told

    def on_stream(self: Any, stream: Any) -> None:
        tell(self, stream)
        _later(folder, "a report was told")

    planted: tuple[tuple[Any, str, Any], ...] = (
        (Replica, "receive", received), (StreamTransport, "send", sent), (Outbox, "take_report", took),
        (ReplicaProcess, "collect", collected), (Teller, "_tell", on_stream),
    )  # fmt: skip
    for owner, method, function in planted:
        setattr(owner, method, function)


def _wrapped(folder: Path, method: Callable[..., Any], before: str, after: str) -> Callable[..., Any]:
    @wraps(method)
    def wrapped(*arguments: Any, **more: Any) -> Any:
        if before:
            at(folder, before)
        result = method(*arguments, **more)
        if after:
            at(folder, after)
        return result

    return wrapped


def _later(folder: Path, point: str) -> None:
    """What was given to Ray is on its way a moment later."""
    if _wanted(folder, point).exists():
        threading.Timer(LATE_S, at, [folder, point]).start()
