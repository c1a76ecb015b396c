"""What was sent into a run, what came of it and what was done to it meanwhile, to be checked when all has ended."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from drivers import until

import penguiray as pr

T = TypeVar("T")
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Fault:
    """Something that was done to a process."""

    when: float
    what: str
    pid: int


@dataclass
class History:
    """Inputs, results and faults of one run, each with its time."""

    reference: Callable[[int], list[int]]
    """What must come of an input."""
    ahead: int = 40
    """Inputs under way."""
    sent: dict[int, float] = field(default_factory=dict)
    came: dict[int, list[int]] = field(default_factory=dict)
    done: dict[int, float] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @property
    def under_way(self) -> int:
        return len(self.sent) - len(self.done)

    @contextmanager
    def reading(self, run: pr.Run[int, int]) -> Iterator[None]:
        """Note results until the run is drained, which the block's end does."""
        reader = threading.Thread(target=self._read, args=[run])
        reader.start()
        try:
            yield
        finally:
            run.drain()
            reader.join()

    def _read(self, run: pr.Run[int, int]) -> None:
        for trace_id, result in run.results(with_trace=True):
            number = int(trace_id)
            came = self.came.setdefault(number, [])
            came.append(result)
            if len(came) == len(self.reference(number)):
                self.done[number] = time.monotonic()

    def send(self, run: pr.Run[int, int]) -> None:
        """Send the next input, once there is room for it."""
        until(lambda: self.under_way, lambda now: now < self.ahead, PATIENCE_S)
        number = len(self.sent)
        self.sent[number] = time.monotonic()
        run.send(number, trace_id=str(number))
        if not self.reference(number):
            self.done[number] = time.monotonic()

    def send_until(self, run: pr.Run[int, int], look: Callable[[], T], timeout_s: float = PATIENCE_S) -> T:
        """Send inputs until what is seen is not empty, or the time is over; gives what is seen."""
        end = time.monotonic() + timeout_s
        while not (seen := look()) and time.monotonic() < end:
            self.send(run)
        return seen

    @contextmanager
    def sending(self, run: pr.Run[int, int]) -> Iterator[None]:
        """Send inputs until the block ends."""
        is_over, failed = threading.Event(), list[BaseException]()

        def work() -> None:
            try:
                while not is_over.is_set():
                    self.send(run)
            except BaseException as error:
                failed.append(error)

        sender = threading.Thread(target=work)
        sender.start()
        try:
            yield
        finally:
            is_over.set()
            sender.join()
        if failed:
            raise failed[0]

    def undone(self, when: float) -> list[int]:
        """Inputs that were sent before, and are not done."""
        return [number for number, sent in self.sent.copy().items() if sent < when and number not in self.done]

    def note(self, what: str, pid: int) -> None:
        """Something was done to a process."""
        self.faults.append(Fault(time.monotonic(), what, pid))

    def wrong(self) -> Iterator[str]:
        """What was lost, or came twice, or should not have come."""
        for number in self.sent:
            if Counter(self.came.get(number, [])) != Counter(self.reference(number)):
                yield f"input {number}: {self.came.get(number)} instead of {self.reference(number)}"
        yield from (f"{number} was never sent" for number in self.came.keys() - self.sent.keys())

    def recoveries_s(self, *, alone: bool = False) -> list[float]:
        """For each fault, how long it took until all was done that was under way then.

        `alone`: only for those into whose recovery no other fault came, and that came into none.
        """
        spans = []
        for fault in self.faults:
            ends = [self.done[number] for number, sent in self.sent.items() if sent < fault.when < self.done[number]]
            if ends:
                spans.append((fault.when, max(ends)))
        return [
            end - when
            for number, (when, end) in enumerate(spans)
            if not (alone and any(one < end and when < other for one, other in spans[:number] + spans[number + 1 :]))
        ]
