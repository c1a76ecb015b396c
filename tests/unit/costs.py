"""Counts what messages cost: executed instructions of the package, and blocks of memory that were allocated.

A count is the same on any machine, however busy, as a time is not. Run as a program it prints what `test_costs.py` has
pinned for this version of Python: figures that changed on purpose are pasted from there.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from pydantic import BaseModel

import penguiray as pr
from penguiray.graph.spec import FlowSpec
from penguiray.link.frame import Frame, Kind, LinkId
from penguiray.link.message import Messages
from penguiray.link.report import Report
from penguiray.link.wire import Packed, pack_frame, pack_report, unpack_frame, unpack_report
from penguiray.local import LocalEngine
from penguiray.plan.compile import compile_plan
from penguiray.testing.virtual import VirtualClock

__all__ = ["Cost", "calls_of", "measured", "ticking"]

Cost = tuple[float, float]
"""Instructions, and blocks of memory."""
Count = Callable[[Callable[[], object]], int]

PACKAGE = str(Path(pr.__file__).parent)
NOT_COUNTED = str(Path(PACKAGE, "testing"))
"""The clock that stands for the machine's."""
MODELS = 1_000
RUNS = (512, 1_536), (256, 512)
"""A run of so many messages less one of so few leaves what messages cost, without what a run costs. Blocks take longer
to count than instructions."""
LARGEST_SHARED_INT = 256
"""Python has one object for each small int."""


class Small(BaseModel):
    """A small message."""

    number: int
    name: str = "name"
    score: float = 0.0


@pr.node
def passed_on(model: Small) -> Small:
    return model


@pr.node(fuse=False)
def passed_on_again(model: Small) -> Small:
    return model


def is_counted(code: CodeType) -> bool:
    """Whether it is the package's."""
    return code.co_filename.startswith(PACKAGE) and not code.co_filename.startswith(NOT_COUNTED)


def calls_of(function: Callable[[], object]) -> int:
    """Calls of functions of the package, generators that go on among them."""
    count = 0

    def note(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        count += event == "call" and is_counted(frame.f_code)

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


if sys.version_info >= (3, 12):

    def call_with(note: Callable[[int], None], function: Callable[[], object]) -> None:
        """Call a function, and `note` before each instruction of the package, with the blocks that this takes."""
        monitoring, tool = sys.monitoring, sys.monitoring.PROFILER_ID

        def on_instruction(code: CodeType, offset: int) -> Any:
            if not is_counted(code):
                return monitoring.DISABLE
            note(int(offset > LARGEST_SHARED_INT))
            return None

        monitoring.use_tool_id(tool, "costs")
        monitoring.register_callback(tool, monitoring.events.INSTRUCTION, on_instruction)
        monitoring.set_events(tool, monitoring.events.INSTRUCTION)
        try:
            function()
        finally:
            monitoring.set_events(tool, monitoring.events.NO_EVENTS)
            monitoring.free_tool_id(tool)

else:

    def call_with(note: Callable[[int], None], function: Callable[[], object]) -> None:
        """Call a function, and `note` before each instruction of the package, with the blocks that this takes."""

        def on_call(frame: FrameType, event: str, _: object) -> Any:
            if not is_counted(frame.f_code):
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            return on_event

        def on_event(frame: FrameType, event: str, _: object) -> Any:
            if event == "opcode":
                note(0)
            return on_event

        sys.settrace(on_call)
        try:
            function()
        finally:
            sys.settrace(None)


def instructions_of(function: Callable[[], object]) -> int:
    """Instructions of the package that a call executes."""
    count = 0

    def note(_: int) -> None:
        nonlocal count
        count += 1

    call_with(note, function)
    return count


def blocks_of(function: Callable[[], object]) -> int:
    """Blocks by which memory grows during a call, from one instruction of the package to the next.

    What is allocated and freed within one instruction is not seen, nor what comes from a list of free objects.
    """
    count, before = 0, 0

    def note(ours: int) -> None:
        nonlocal count, before
        now = sys.getallocatedblocks() - ours
        count += max(0, now - before)
        before = now

    gc.collect()
    gc.disable()
    try:
        before = sys.getallocatedblocks()
        call_with(note, function)
    finally:
        gc.enable()
    return count


def least_blocks_of(function: Callable[[], object]) -> int:
    """Blocks of a call when all that it needs once is there, such as what Python notes about code that is watched."""
    return min(blocks_of(function) for _ in range(2))


class Unwatched(LocalEngine):
    """An engine whose second thread does nothing."""

    def look(self) -> None:
        """See the base: it looks at the machine's time, whatever the clock is."""


class Ticking(VirtualClock):
    """Time that passes by being looked at, and where all wait: how large frames and windows get is always the same."""

    def __init__(self) -> None:
        super().__init__(seed=0, patience_s=60.0)

    def now(self) -> float:
        self._now += 1e-6
        return self._now

    def engine_of(self, spec: FlowSpec, seed: int | None) -> LocalEngine:
        return Unwatched(compile_plan(spec, cpus=1), seed=0, clock=self, loop=self.new_loop())


@contextmanager
def ticking() -> Iterator[None]:
    """Flows that are started inside have such a time."""
    LocalEngine.world = Ticking()
    try:
        yield
    finally:
        LocalEngine.world = None


def of_the_codec() -> dict[str, Cost]:
    """What a small model costs in a frame and a report of a thousand, there and back."""
    numbers = list(range(MODELS))
    models = [Small(number=number, name=str(number)) for number in numbers]
    frame = Frame(LinkId(0, 0), 1, 2, Kind.DATA, Messages(numbers, numbers, models))
    report = Report(0, 1, numbers, numbers, numbers, results=models)

    def packed() -> tuple[Packed, Packed]:
        report.results = models
        return (
            pack_frame(frame, set(), now=0.0, inline_limit=1_024),
            pack_report(report, set(), inline_limit=1_024, node="n"),
        )

    sent, told = packed()

    def unpacked() -> object:
        return unpack_frame(*sent, now=0.0), unpack_report(*told, node="n")

    costs = dict[str, Cost]()
    for name, function in (("to bytes", packed), ("from bytes", unpacked)):
        costs[name] = instructions_of(function) / MODELS, least_blocks_of(function) / MODELS
    return costs


def of_a_way() -> dict[str, Cost]:
    """What a message of a list and of an iterator costs on its way through two stages."""
    models = [Small(number=number) for number in range(max(map(max, RUNS)))]
    costs = dict[str, Cost]()
    with ticking(), pr.Flow(passed_on >> passed_on_again).start(engine="local") as run:

        def of_a_list(count: int) -> None:
            assert sum(1 for _ in run.map(models[:count])) == count

        def of_an_iterator(count: int) -> None:
            assert sum(1 for _ in run.map(iter(models[:count]))) == count

        for name, through in (("a list", of_a_list), ("an iterator", of_an_iterator)):
            through(len(models))
            costs[name] = each(instructions_of, through, *RUNS[0]), each(least_blocks_of, through, *RUNS[1])
    return costs


def each(count_of: Count, through: Callable[[int], None], few: int, many: int) -> float:
    """What a message costs in a run of many."""
    return (count_of(partial(through, many)) - count_of(partial(through, few))) / (many - few)


def measured() -> dict[str, Cost]:
    """Instructions and blocks of each thing that is pinned, for one message."""
    return {name: (round(one, 2), round(other, 2)) for name, (one, other) in {**of_the_codec(), **of_a_way()}.items()}


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        sys.exit(subprocess.run([sys.executable, __file__], env=environment, check=False).returncode)
    sys.stdout.write(f"    {sys.version_info[:2]}: {measured()},\n".replace("'", '"'))
