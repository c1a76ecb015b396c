"""A slow call of a node that is idempotent is made a second time. Calls meet through files, so no clock is needed."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import penguiray as pr

SAFETY_S = 60.0


async def there(path: Path) -> None:
    """Wait for a file."""
    deadline = time.monotonic() + SAFETY_S
    while not path.exists():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


class Twice:
    """Gives most messages at once. The first call of a named one waits until the second has begun."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = dict[str, int]()

    async def __call__(self, name: str, ctx: pr.Context) -> str:
        if not name:
            return name
        self.calls[name] = self.calls.get(name, 0) + 1
        first, second, failed = (self.folder / f"{name} {what}" for what in ("first", "second", "failed"))
        if self.calls[name] > 1:
            second.touch()
            if name == "first fails":
                await there(failed)
            elif name != "first is slow":
                failed.touch()
                raise KeyError(name)
            ctx.emit(f"attempt {ctx.attempt}")
            return "second"
        ctx.emit("dropped unless the first call counts")
        try:
            await there(second)
            if name == "first is slow":
                await asyncio.sleep(SAFETY_S)
            elif name == "first fails":
                failed.touch()
                raise ValueError(name)
            await there(failed)
            if name == "both fail":
                raise ValueError(name)
        except asyncio.CancelledError:
            first.write_text("cancelled")
            raise
        return "first"


def asked(run: pr.Run[str, str], name: str) -> list[Any]:
    """The results of a slow message; others are quick meanwhile, so that it is the only slow one."""
    outcome: list[Any] = []

    def ask() -> None:
        try:
            outcome.extend(run.ask_all(name, timeout_s=SAFETY_S))
        except pr.NodeError as error:
            outcome.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    while thread.is_alive():
        run.ask("")
    return outcome


@pytest.mark.usefixtures("engine")
def test_a_slow_call_is_made_again_and_the_first_to_succeed_counts(tmp_path: Path) -> None:
    with pr.Flow(pr.actor(idempotent=True, retry=pr.Retry())(Twice)(tmp_path)).start() as run:
        run.collect([""] * 64)
        assert asked(run, "first is slow") == ["attempt 1", "second"]
        assert (tmp_path / "first is slow first").read_text() == "cancelled"
        assert asked(run, "second fails") == ["dropped unless the first call counts", "first"]
        assert asked(run, "first fails") == ["attempt 1", "second"]
        (count,) = run.status().nodes
    assert (count.failed, count.retried) == (0, 0)
    assert count.hedged >= 3


@pytest.mark.usefixtures("engine")
def test_a_message_of_which_both_calls_fail_fails_as_its_first(tmp_path: Path) -> None:
    with pr.Flow(pr.actor(idempotent=True)(Twice)(tmp_path)).start() as run:
        run.collect([""] * 64)
        (error,) = asked(run, "both fail")
        assert isinstance(error, pr.NodeError)
        assert (type(error.__cause__), error.attempt) == (ValueError, 1)
        assert len(run.dead_letters()) == 1
        (count,) = run.status().nodes
    assert (count.failed, count.given) == (1, count.taken - 1)


class TwiceUnlessCancelled:
    """The first two calls of the slow message note that they have begun, and that they are cancelled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = 0

    async def __call__(self, name: str) -> str:
        if name:
            self.calls += 1
            number = self.calls
            (self.folder / f"begun {number}").touch()
            try:
                await asyncio.sleep(SAFETY_S)
            except asyncio.CancelledError:
                (self.folder / f"cancelled {number}").touch()
                raise
        return name


@pytest.mark.usefixtures("engine")
def test_cancelling_an_input_ends_both_of_its_calls(tmp_path: Path) -> None:
    with pr.Flow(pr.actor(idempotent=True)(TwiceUnlessCancelled)(tmp_path)).start() as run:
        run.collect([""] * 64)
        outcome: list[Any] = []

        def ask() -> None:
            try:
                run.ask("slow", trace_id="slow")
            except pr.Cancelled as error:
                outcome.append(error.trace_id)

        thread = threading.Thread(target=ask)
        thread.start()
        deadline = time.monotonic() + SAFETY_S
        while not (tmp_path / "begun 2").exists():
            assert time.monotonic() < deadline
            run.ask("")
        assert run.cancel("slow") == 1
        thread.join(SAFETY_S)
        assert outcome == ["slow"]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["begun 1", "begun 2", "cancelled 1", "cancelled 2"]
