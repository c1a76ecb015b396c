"""A run has its name for itself: refused beside it, free after it, and replaced where a notebook's cell runs again."""

from __future__ import annotations

import logging
import os
import sys
from types import SimpleNamespace

import pytest

import penguiray as pr


@pr.node
def plus_one(x: int) -> int:
    return x + 1


class Refuses:
    def __init__(self) -> None:
        raise ConnectionError("refused")

    def __call__(self, x: int) -> int:
        return x


@pytest.mark.usefixtures("engine")
def test_a_name_that_this_program_runs_is_refused_and_free_again_when_the_run_has_ended() -> None:
    flow = pr.Flow(plus_one, name="unique")
    with flow.start() as run:
        with pytest.raises(
            pr.StartError, match=r"runs 'unique' already.*another name: flow\.start\(name=\.\.\.\)"
        ) as caught:
            flow.start()
        assert (caught.value.run, caught.value.pid) == ("unique", os.getpid())
        assert run.ask(1) == 2
    with flow.start() as again:
        assert again.ask(2) == 3
        again.stop()
        third = flow.start()
    assert third.ask(3) == 4
    third.stop()


@pytest.mark.usefixtures("engine")
def test_another_name_runs_beside_and_is_what_everything_is_called() -> None:
    flow = pr.Flow(plus_one, name="index")
    with flow.start() as run, flow.start(name="index-2") as second:
        assert (run.name, second.name, second.status().name) == ("index", "index-2", "index-2")
        assert (run.ask(1), second.ask(2)) == (2, 3)
        second.stop()
        with pytest.raises(pr.RunClosed) as caught:
            second.ask(1)
        assert caught.value.run == "index-2"
        assert run.ask(3) == 4
    with pytest.raises(pr.FlowError, match="'a/b'"):
        flow.start(name="a/b")


@pytest.mark.usefixtures("engine")
def test_maps_of_one_flow_and_runs_of_flows_without_a_name_run_beside_one_another() -> None:
    named = pr.Flow(plus_one, name="maps")
    with named.start() as run, named.map(range(3), ordered=True) as results:
        assert next(results) == 1
        assert named.collect([5]) == [6]
        assert run.ask(6) == 7
        assert list(results) == [2, 3]
    with pr.Flow(plus_one).start() as one, pr.Flow(plus_one).start() as other:
        assert (one.ask(1), other.ask(2)) == (2, 3)


@pytest.mark.usefixtures("engine")
def test_a_named_flow_that_several_nodes_ask_is_run_by_each_beside_a_run_of_that_name() -> None:
    asked = pr.Flow(plus_one, name="asked")

    @pr.node
    def first(x: int, ctx: pr.Context) -> int:
        return ctx.ask(asked, x)

    @pr.node
    def second(x: int, ctx: pr.Context) -> int:
        return ctx.ask(asked, x)

    with asked.start() as run, pr.Flow(first >> second).start() as asking:
        assert (run.ask(1), asking.ask(2)) == (2, 4)


@pytest.mark.usefixtures("engine")
def test_a_run_that_failed_gives_its_name_back() -> None:
    broken = pr.Flow(pr.actor(Refuses)(), name="mended").start()
    with pytest.raises(pr.StartError, match="refused"):
        broken.wait_ready(30)
    with pr.Flow(plus_one, name="mended").start() as run:
        assert run.ask(1) == 2


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("name", ["cell", None])
def test_a_notebook_that_starts_a_name_again_has_its_old_run_stopped_and_is_told(
    name: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shell = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setitem(sys.modules, "IPython", shell)
    caplog.set_level(logging.WARNING, "penguiray")
    flow = pr.Flow(plus_one, name=name)
    old = flow.start()
    assert old.ask(1) == 2
    with flow.start() as new:
        assert old.status().state == "stopped"
        with pytest.raises(pr.RunClosed):
            old.ask(1)
        assert new.ask(2) == 3
        said = [record.getMessage() for record in caplog.records if record.name == "penguiray"]
        assert said == [f"the run {flow.name!r} of this notebook was stopped, because it was started again"]
