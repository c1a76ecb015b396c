"""What each process of a replica holds, kept on disk: the note outlives the process, so a death tells what was lost."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Holding:
    """What a process holds: all of it is lost if it dies."""

    messages: int
    """Messages that wait or are worked on, and outputs that nobody has taken."""
    untold: int
    """Messages that are finished, of which the caller's side has not heard."""

    @property
    def is_any(self) -> bool:
        return self.messages + self.untold > 0


def holding(folder: Path, pid: int) -> Holding:
    """What a process holds, or held when it died."""
    try:
        messages, untold = (folder / f"{pid}.holds").read_text().split()
    except (FileNotFoundError, ValueError):  # it has only begun
        return Holding(0, 0)
    return Holding(int(messages), int(untold))


class _Hands:
    """Writes down what this process holds whenever that changes; belongs to the replica's loop."""

    def __init__(self, folder: Path) -> None:
        from penguiray.runtime.replica import Replica

        self._held = Replica.held  # as it is before deaths are planted there
        self._file = os.open(folder / f"{os.getpid()}.holds", os.O_CREAT | os.O_WRONLY)
        os.pwrite(self._file, b"%9d %9d" % (0, 0), 0)
        self.replica: Any = None
        self.on_its_way = 0
        """Finished messages in the report that is being told."""

    def note(self) -> None:
        if self.replica is not None:
            _, ids = self._held(self.replica)
            report = self.replica.outbox._report
            untold = self.on_its_way + len(report.ids) + len(report.streamed)
            os.pwrite(self._file, b"%9d %9d" % (len(ids), untold), 0)


def note_holdings(folder: Path) -> None:
    """Have this replica's process write down what it holds, wherever that changes; to be called in `setup()`."""
    from penguiray.runtime.outbox import Outbox
    from penguiray.runtime.replica import Replica

    hands = _Hands(folder)
    receive, take = Replica.receive, Outbox.take_report

    def received(self: Any, *arguments: Any) -> None:
        hands.replica = self
        receive(self, *arguments)
        hands.note()

    def took(self: Any, ingress: int = 0) -> Any:
        report = take(self, ingress)
        hands.on_its_way = len(report.ids) + len(report.streamed)
        hands.note()
        return report

    def noting(method: Callable[..., Any], *, is_told: bool = False) -> Callable[..., Any]:
        def noted(*arguments: Any, **more: Any) -> Any:
            result = method(*arguments, **more)
            if is_told:
                hands.on_its_way = 0
            hands.note()
            return result

        return noted

    planted: tuple[tuple[Any, str, Any], ...] = (
        (Replica, "receive", received), (Replica, "on_feedback", noting(Replica.on_feedback)),
        (Outbox, "take_report", took), (Outbox, "flush", noting(Outbox.flush)),
        (Outbox, "_flush_now", noting(Outbox._flush_now)),
        (Outbox, "note_known", noting(Outbox.note_known, is_told=True)),
    )  # fmt: skip
    for owner, method, function in planted:
        setattr(owner, method, function)
