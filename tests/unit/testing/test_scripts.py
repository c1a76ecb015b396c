"""Scripted inputs, nodes and sinks do what their script says, when it says so."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import pytest

import penguiray as pr
from penguiray.testing import Abort, Pause, Recorder, VirtualClock, outcomes, script, virtual_time

GUIDE = Path(__file__).parents[3] / "docs" / "guide.md"


@pr.node
def same(x: int) -> int:
    return x


def test_inputs_come_when_the_script_says_and_an_abort_is_raised_where_it_stands(virtual_clock: VirtualClock) -> None:
    seen = Recorder[int]()
    inputs = script(1, 2, Pause(30.0), 3, Abort(OSError("gone")), 4)
    with pr.Flow(same >> pr.node(seen)).start() as run:
        with pytest.raises(OSError, match="gone"):
            run.collect(inputs)
        assert inputs.given == [1, 2, 3]
        assert run.collect(inputs) == [4]
    assert sorted(seen.entries[:2]) == [(0.0, 1), (0.0, 2)]
    assert seen.values[2:] == [4]  # the 3 was on its way, and was given up with the rest
    assert virtual_clock.now() == 30.0


def test_a_script_can_be_read_by_async_code() -> None:
    async def main() -> list[tuple[int, float]]:
        inputs = script(1, Pause(60.0), 2, Abort(), 3)
        read = [(await anext(inputs), clock.now()) for _ in range(2)]
        with pytest.raises(RuntimeError, match="the script aborts here"):
            await anext(inputs)
        return read + [(item, clock.now()) async for item in inputs]

    with virtual_time() as clock:
        assert clock.run(main()) == [(1, 0.0), (2, 60.0), (3, 60.0)]


def test_calls_end_as_scripted_in_the_order_in_which_they_begin(virtual_clock: VirtualClock) -> None:
    pages = outcomes(Pause(5.0), "late", ValueError("no"), "early")
    with pr.Flow(pr.node(pages)).start() as run:
        assert run.ask(1) == "late"
        assert virtual_clock.now() == 5.0
        with pytest.raises(pr.NodeError) as failed:
            run.ask(2)
        assert type(failed.value.__cause__) is ValueError
        assert run.ask(3) == "early"
        with pytest.raises(pr.NodeError) as over:
            run.ask(4)
        assert str(over.value.__cause__) == "outcomes: no outcome is left for call 4, with 4"
    assert pages.calls == [1, 2, 3, 4]


def test_a_scripted_failure_is_tried_again_as_any_other(virtual_clock: VirtualClock) -> None:
    pages = outcomes(TimeoutError(), TimeoutError(), "page")
    retry = pr.Retry(max_attempts=3, initial_s=60.0, max_s=600.0)
    with pr.Flow(pr.node(retry=retry)(pages)).start() as run:
        assert run.ask("url") == "page"
    assert 0.0 < virtual_clock.now() <= 180.0


def test_without_virtual_time_pauses_and_times_are_real(local_engine: str) -> None:
    seen = Recorder[int]()
    begun = time.monotonic()
    with pr.Flow(pr.node(seen)).start(engine="local") as run:
        assert run.collect(script(1, Pause(0.01), 2), window=1) == [1, 2]
        assert asyncio.run(anext(script(Pause(0.0), 3))) == 3
    assert seen.values == [1, 2]
    assert begun <= seen.times[0] <= seen.times[1] - 0.01


def test_the_example_of_the_guide_is_a_test_that_passes() -> None:
    section = GUIDE.read_text(encoding="utf-8").partition("\n## Testing a flow\n")[2]
    code = re.findall(r"^```python\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)[0]
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, str(GUIDE), "exec"), names)  # noqa: S102 - what a reader would run
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 1
    begun = time.monotonic()
    tests[0]()
    assert time.monotonic() - begun < 3.0
