"""`run.stream`: the results of one input, each as it comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

import penguiray as pr

GATE_S = 20.0


@pr.node
def count_down(n: int) -> Iterator[int]:
    yield from range(n, 0, -1)


@pr.node
def two_then_fail(x: int) -> Iterator[int]:
    yield x
    yield x + 1
    raise ValueError("no third")


@pr.node
def one_then_wait(gate: str) -> Iterator[str]:
    yield "before"
    until = time.monotonic() + GATE_S
    while not Path(gate).exists():
        if time.monotonic() > until:
            raise TimeoutError("nobody opened the gate")
        time.sleep(0.01)
    yield "after"


@pr.node
async def never(x: int) -> int:
    await asyncio.Event().wait()
    return x


@pytest.mark.usefixtures("engine")
def test_stream_gives_every_result_of_its_one_input() -> None:
    with pr.Flow(count_down).start() as run:
        assert list(run.stream(5)) == [5, 4, 3, 2, 1]
        assert list(run.stream(0)) == []
        assert run.status().inputs_live == 0


@pytest.mark.usefixtures("engine")
def test_a_streamed_result_comes_while_its_generator_still_works(tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    async def main() -> list[str]:
        came = []
        async with pr.Flow(one_then_wait).start() as run, run.astream(str(gate)) as results:
            async for result in results:
                came.append(result)
                gate.touch()
        return came

    assert asyncio.run(main()) == ["before", "after"]


@pytest.mark.usefixtures("engine")
def test_stream_gives_what_came_before_a_failure_and_then_raises_it() -> None:
    with pr.Flow(two_then_fail).start() as run:
        results = run.stream(1)
        assert [next(results), next(results)] == [1, 2]
        with pytest.raises(pr.NodeError, match="no third"):
            next(results)


@pytest.mark.usefixtures("engine")
def test_leaving_a_stream_gives_up_its_input_and_the_run_goes_on() -> None:
    with pr.Flow(count_down).start() as run:
        with run.stream(5_000) as results:
            assert next(results) == 5_000
        assert run.status().inputs_live == 0
        assert run.ask(1) == 1


@pytest.mark.usefixtures("engine")
def test_stream_ends_when_its_time_is_over() -> None:
    text = r"^no result within 0\.2 s; the input was given up$"
    with pr.Flow(never).start() as run, pytest.raises(pr.DeadlineExceeded, match=text) as caught:
        next(run.stream(1, timeout_s=0.2))
    assert caught.value.timeout_s == 0.2


@pytest.mark.usefixtures("engine")
def test_stream_checks_its_input_when_it_is_first_read() -> None:
    with pr.Flow(count_down).start() as run, pytest.raises(ValidationError):
        next(run.stream("three"))  # type: ignore[arg-type]  # the mistake under test
