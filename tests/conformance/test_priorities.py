"""The header `priority`: urgent inputs pass those that wait, and inputs of a low priority let all others pass."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

import penguiray as pr

EACH = 40
PATIENCE_S = 60.0


class Numbered:
    """Waits for a file before the first message, then says as the how manieth it worked on each."""

    def __init__(self, go: Path) -> None:
        self.go = go
        self.count = 0

    def __call__(self, x: str) -> tuple[str, int]:
        until = time.monotonic() + PATIENCE_S
        while not self.go.exists() and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(0.005)
        self.count += 1
        return x, self.count


numbered = pr.actor(replicas=1)(Numbered)


@pr.node(fuse=False, replicas=1)
def passed_on(x: str) -> str:
    return x


@pytest.mark.usefixtures("engine")
def test_urgent_inputs_pass_those_that_wait_and_low_ones_let_all_others_pass(tmp_path: Path) -> None:
    with pr.Flow(passed_on >> numbered(tmp_path / "go")).start() as run:
        run.send("first")
        for priority in ("low", "normal", "high"):
            for _ in range(1 if priority == "high" else EACH):
                run.send(priority, headers={"priority": priority})
        (tmp_path / "go").touch()
        seen = list(run.results(until_idle=True))
    places = {name: [place for one, place in seen if one == name] for name in ("low", "normal", "high")}
    assert [len(of_one) for of_one in places.values()] == [EACH, EACH, 1]
    assert places["high"][0] < EACH
    assert sum(places["normal"]) < sum(places["low"])
    assert max(places["low"]) == 2 * EACH + 2


@pr.node(replicas=1)
def priority_of(x: int, ctx: pr.Context) -> str:
    return ctx.headers["priority"]


@pytest.mark.usefixtures("engine")
def test_a_priority_is_one_of_three_words_and_nodes_see_it() -> None:
    flow = pr.Flow(priority_of)
    with flow.start() as run:
        assert run.ask(1, headers={"priority": "low"}) == "low"
        assert list(run.map([1, 2], headers={"priority": "high"})) == ["high"] * 2
        with pytest.raises(ValueError, match="the header 'priority' is one of 'high', 'normal', 'low', not 'urgent'"):
            run.ask(1, headers={"priority": "urgent"})
        with pytest.raises(ValueError, match="the header 'Priority' would mean nothing here: write it 'priority'"):
            run.ask(1, headers={"Priority": "high"})


class Held:
    """Waits for a file at its first message."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, x: object) -> object:
        (self.folder / "begun").touch()
        until = time.monotonic() + PATIENCE_S
        while not (self.folder / "go").exists() and time.monotonic() < until:
            time.sleep(0.001)
        return x


held = pr.actor(replicas=1)(Held)


@pytest.mark.usefixtures("engine")
def test_an_urgent_message_may_be_the_first_of_its_class_that_arrives(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Local:
        """Its definition goes along with the first message, which the urgent one overtakes."""

        x: int

    flow = pr.Flow(held(tmp_path), options=pr.FlowOptions(frame_messages=1))
    with flow.start() as run:
        run.send("first")
        until = time.monotonic() + PATIENCE_S
        while run.status().state == "running" and not (tmp_path / "begun").exists() and time.monotonic() < until:
            if os.environ["PENGUIRAY_ENGINE"] == "local":
                break  # nothing moves there before results are read
            time.sleep(0.01)
        for value, priority in (("second", "normal"), (Local(1), "normal"), (Local(2), "high")):
            run.send(value, headers={"priority": priority})
        (tmp_path / "go").touch()
        found = list(run.results(until_idle=True))
    assert sorted(map(repr, found)) == sorted(map(repr, ["first", "second", Local(1), Local(2)]))
