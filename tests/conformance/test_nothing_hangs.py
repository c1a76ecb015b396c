"""Whatever a node, a value or a caller does, every admitted input ends, and the run goes on or says why not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

import penguiray as pr


class Panic(BaseException):
    """As extension modules raise it: no Exception."""


class NoWayBack:
    """Can be pickled, and never be unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return _refuse, ()


def _refuse() -> None:
    raise ValueError("no way back")


@pr.node
def panics(x: int) -> int:
    if x == 1:
        raise Panic("sync")
    return x


@pr.node
async def panics_async(x: int) -> int:
    if x == 2:
        raise Panic("async")
    if x == 3:
        raise asyncio.CancelledError
    return x


@pr.node
def exits(x: int) -> Iterator[int]:
    yield x
    if x == 4:
        raise SystemExit(3)


@pr.node(replicas=1)
def wraps(x: int) -> object:
    return NoWayBack() if x == 1 else x


@pr.node(replicas=1)
def fails_on_what_cannot_come_back(x: object) -> int:
    if isinstance(x, NoWayBack):
        raise TypeError("seen")
    assert isinstance(x, int)
    return x


@pytest.mark.usefixtures("engine")
def test_what_is_no_exception_fails_its_message_only() -> None:
    with pr.Flow(panics >> panics_async >> exits).start() as run:
        outcomes = list(run.map(range(6), on_error="yield", ordered=True))
        results = [outcome for outcome in outcomes if isinstance(outcome, int)]
        errors = [outcome for outcome in outcomes if isinstance(outcome, pr.NodeError)]
        assert results == [0, 4, 5]
        assert [error.node for error in errors] == ["panics", "panics_async", "panics_async", "exits"]
        assert run.ask(7) == 7


@pytest.mark.usefixtures("engine")
def test_a_failed_message_whose_value_cannot_be_decoded_is_a_dead_letter_without_it() -> None:
    with pr.Flow(wraps >> fails_on_what_cannot_come_back).start() as run:
        with pytest.raises(pr.NodeError, match="TypeError: seen"):
            run.ask(1)
        (letter,) = run.dead_letters()
        assert letter.value is None
        assert run.ask(2) == 2


@pytest.mark.usefixtures("engine")
def test_an_input_that_is_being_read_when_the_run_drains_is_not_admitted_and_the_map_ends() -> None:
    is_reading, is_drained = threading.Event(), threading.Event()

    def inputs() -> Iterator[int]:
        yield 1
        is_reading.set()
        assert is_drained.wait(60)
        yield 2

    run = pr.Flow(panics_async).start()
    run.wait_ready()
    results: list[int] = []
    reader = threading.Thread(target=lambda: results.extend(run.map([5])), name="reader")
    reader.start()
    reader.join(60)
    late: list[int] = []
    reader = threading.Thread(target=lambda: late.extend(run.map(inputs())), name="late")
    reader.start()
    assert is_reading.wait(60)
    drainer = threading.Thread(target=run.drain)
    drainer.start()
    while not _refuses(run):
        pass
    is_drained.set()
    for thread in (reader, drainer):
        thread.join(60)
        assert not thread.is_alive()
    assert results == [5]
    assert late in ([], [1])


def _refuses(run: pr.Run[int, int]) -> bool:
    try:
        run.ask(9)
    except pr.RunClosed:
        return True
    return False


@pytest.mark.usefixtures("engine")
def test_results_do_not_wait_for_an_input_that_is_slow_to_come() -> None:
    has_first = threading.Event()

    def inputs() -> Iterator[int]:
        yield 5
        for _ in range(1_000):  # a live source: something comes only every few milliseconds
            if has_first.wait(0.005):
                return
            yield 6

    with pr.Flow(panics_async).start() as run:
        for result in run.map(inputs()):
            if result == 5:
                has_first.set()
        assert run.status().inputs_done < 1_000
