"""Giving up inputs that are under way: what ends, what goes on, and what the caller hears."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import penguiray as pr

PATIENCE_S = 20.0


def eventually(holds: Callable[[], bool]) -> bool:
    """Poll for something that another process or thread is about to do."""
    until = time.monotonic() + PATIENCE_S
    while not holds() and time.monotonic() < until:
        time.sleep(0.01)
    return holds()


def lines_of(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def note(path: Path, word: str) -> None:
    with path.open("a") as file:
        file.write(f"{word}\n")


def in_thread(function: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Run a call beside the test; the list has what it gave or raised."""
    outcome: list[Any] = []

    def work() -> None:
        try:
            outcome.append(function())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, outcome


@pytest.mark.usefixtures("engine")
def test_a_cancelled_async_call_is_ended_where_it_awaits_and_its_asker_is_told(tmp_path: Path) -> None:
    seen = tmp_path / "seen"

    @pr.node
    async def wait(x: int) -> int:
        note(seen, f"begun{x}")
        try:
            await asyncio.sleep(60 if x else 0)
        except asyncio.CancelledError:
            note(seen, f"ended{x}")
            raise
        return x

    with pr.Flow(wait).start() as run:
        run.wait_ready()
        thread, outcome = in_thread(lambda: run.ask(1, trace_id="slow"))
        assert eventually(lambda: "begun1" in lines_of(seen))
        assert run.cancel("slow") == 1
        thread.join(PATIENCE_S)
        assert isinstance(outcome[0], pr.Cancelled)
        assert outcome[0].trace_id == "slow"
        assert "input 'slow' was cancelled" in str(outcome[0])
        assert eventually(lambda: "ended1" in lines_of(seen))
        assert run.ask(0) == 0
        assert run.cancel("slow") == 0
        assert run.status().nodes[0].failed == 0
        assert not run.dead_letters()


@pytest.mark.usefixtures("engine")
def test_what_sync_code_gives_is_dropped_and_it_may_ask_whether_it_is_wanted(tmp_path: Path) -> None:
    seen = tmp_path / "seen"

    @pr.node(replicas=1, timeout_s=60)
    def first(x: int, ctx: pr.Context) -> int:
        note(seen, f"first{x}")
        while x and not ctx.is_cancelled:
            time.sleep(0.005)
        return x

    @pr.node(replicas=1)
    def second(x: int) -> int:
        note(seen, f"second{x}")
        return x

    with pr.Flow(first >> second).start() as run:
        run.wait_ready()
        thread, outcome = in_thread(lambda: run.ask(1, trace_id="t1"))
        assert eventually(lambda: lines_of(seen) == ["first1"])
        assert run.cancel("t1") == 1
        thread.join(PATIENCE_S)
        assert isinstance(outcome[0], pr.Cancelled)
        assert run.ask(0) == 0
        assert lines_of(seen) == ["first1", "first0", "second0"]


@pytest.mark.usefixtures("engine")
def test_messages_that_wait_are_dropped_when_their_loop_is_left(tmp_path: Path) -> None:
    seen = tmp_path / "seen"

    @pr.node(replicas=1)
    def slow(x: int) -> int:
        note(seen, str(x))
        time.sleep(0.005 if x else 0.0)
        return x

    with pr.Flow(slow).start() as run:
        with run.map(range(1, 1_001), window=1_000) as results:
            assert next(results) > 0
        assert run.ask(0) == 0
        assert len(lines_of(seen)) < 900  # all of them were in line before the 0


@pytest.mark.usefixtures("engine")
def test_leaving_a_stream_ends_its_generator_at_the_next_message(tmp_path: Path) -> None:
    seen = tmp_path / "seen"

    @pr.node(replicas=1)
    def endless(x: int) -> Iterator[int]:
        try:
            while True:
                time.sleep(0.001)
                yield x
        finally:
            note(seen, "closed")

    with pr.Flow(endless).start() as run, run.stream(7) as results:
        assert [next(results) for _ in range(3)] == [7, 7, 7]
    assert lines_of(seen) == ["closed"]  # the run is drained, so the generator has ended


@pytest.mark.usefixtures("engine")
def test_in_a_map_a_cancelled_input_fails_at_its_place_and_the_others_go_on() -> None:
    @pr.node
    async def wait(x: int, ctx: pr.Context) -> str:
        if x == 2:
            await asyncio.sleep(60)
        return ctx.trace_id

    with pr.Flow(wait).start() as run:
        found: list[Any] = []
        results = run.map([1, 2, 3], on_error="yield", ordered=True, window=3)
        found.append(next(results))
        epoch, root = found[0][:16], int(found[0][16:], 16)
        assert run.cancel(f"{epoch}{root + 1:016x}") == 1
        found += results
        assert [type(result) for result in found] == [str, pr.Cancelled, str]


@pytest.mark.usefixtures("engine")
def test_a_cancelled_input_makes_no_further_attempt(tmp_path: Path) -> None:
    seen = tmp_path / "seen"

    @pr.node(retry=pr.Retry(max_attempts=50, initial_s=0.2, max_s=0.2), replicas=1)
    def flaky(x: int) -> int:
        note(seen, "tried")
        if x:
            raise ValueError(x)
        return x

    with pr.Flow(flaky).start() as run:
        run.wait_ready()
        thread, outcome = in_thread(lambda: run.ask(1, trace_id="again"))
        assert eventually(lambda: len(lines_of(seen)) >= 2)
        assert run.cancel("again") == 1
        thread.join(PATIENCE_S)
        assert isinstance(outcome[0], pr.Cancelled)
    after = len(lines_of(seen))  # the run is drained, so nothing of it is left that could try again
    assert after < 50


@pytest.mark.usefixtures("engine")
def test_an_input_that_floods_a_caller_who_does_not_read_fails_and_others_go_on() -> None:
    @pr.node(replicas=1)
    def many(x: int) -> Iterator[int]:
        yield from range(x)

    options = pr.FlowOptions(max_live_messages=1_000)
    with pr.Flow(many, options=options).start() as run:
        thread, outcome = in_thread(lambda: run.ask_all(2))  # from here on the engine works by itself
        thread.join(PATIENCE_S)
        assert outcome == [[0, 1]]
        with run.map([1_000_000_000], on_error="yield") as results:
            assert next(results) == 0
            assert eventually(lambda: run.status().dead_letters == 1)
            *given, error = results
            assert given == list(range(1, len(given) + 1))
            assert isinstance(error, pr.NodeError)
            assert isinstance(error.__cause__, pr.BudgetExceeded)
            assert "more than 1,000 messages or results" in str(error)
        with pytest.raises((pr.ManyResults, pr.NodeError), match=r"more than 1,000 "):
            run.ask_all(1_000_000_000)  # which of them depends on whether results come faster than they are gathered
        assert run.ask_all(3) == [0, 1, 2]
