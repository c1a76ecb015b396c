"""The public surface changes on purpose only."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import penguiray as pr
from penguiray import testing


def test_public_names_are_pinned() -> None:
    assert pr.__all__ == [
        "Back", "Batch", "BudgetExceeded", "Cancelled", "Context", "DeadLetter", "DeadlineExceeded", "Explanation",
        "Flow", "FlowError", "FlowOptions", "Graph", "JoinIncomplete", "LinkClosed", "Many", "ManyResults",
        "MessageTooLarge", "NoResult", "Node", "NodeError", "NodeOptions", "NodeStatus", "NotYetError",
        "Overloaded", "PenguirayError", "PlacementError", "Rate", "RemoteError", "ReplicaLost", "ResultError",
        "Retry", "Rows", "Run", "RunClosed", "StartError", "Statement", "Status", "actor", "attach", "bounded_map",
        "fan", "fold", "join", "node", "route", "switch",
    ]  # fmt: skip
    assert all(hasattr(pr, name) for name in pr.__all__)
    assert testing.__all__ == [
        "MOMENTS", "Abort", "Faults", "FaultyTransport", "MemoryPair", "Outcomes", "Pause", "Recorder", "Script",
        "TransportConformance", "TransportPair", "VirtualClock", "local_engine", "outcomes", "ray_cluster", "script",
        "virtual_clock", "virtual_time",
    ]  # fmt: skip
    assert all(hasattr(testing, name) for name in testing.__all__)


def test_importing_penguiray_and_its_pytest_plugin_loads_neither_ray_nor_numpy_nor_pyarrow() -> None:
    code = (
        "import sys, penguiray as pr, penguiray.testing\n"
        "@pr.node\n"
        "def f(x: int) -> int: return x\n"
        "pr.Flow(f).plan()\n"
        "print(sorted({'ray', 'numpy', 'pyarrow', 'pandas'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


TWINS = {
    pr.Run: {
        "ask": "aask", "ask_all": "aask_all", "stream": "astream", "map": "amap", "collect": "acollect",
        "send": "asend", "results": "aresults", "drain": "adrain", "stop": "astop", "wait_ready": "await_ready",
        "update": "aupdate",
        "__enter__": "__aenter__", "__exit__": "__aexit__",
    },
    pr.Flow: {"map": "amap", "collect": "acollect"},
}  # fmt: skip
ALONE = {  # those that do not wait, and those that are not built yet
    pr.Flow: {"name", "spec", "plan", "start", "explain", "to_mermaid", "to_svg"},
    pr.Run: {"name", "status", "dead_letters", "cancel", "explain"},
}
SYNC_ONLY = {"engine", "address", "progress", "wishes"}


@pytest.mark.parametrize("cls", [pr.Run, pr.Flow])
def test_every_call_that_may_wait_has_an_async_twin_with_the_same_parameters(cls: type) -> None:
    for name, twin in TWINS[cls].items():
        parameters = inspect.signature(getattr(cls, name)).parameters
        twins = inspect.signature(getattr(cls, twin)).parameters
        assert [p for p in parameters if p not in SYNC_ONLY] == [p for p in twins if p not in SYNC_ONLY], name
        assert {p: parameters[p].default for p in twins} == {p: twins[p].default for p in twins}, name
    own = [base for base in cls.__mro__ if base.__module__.startswith("penguiray.")]
    public = {name for base in own for name in vars(base) if not name.startswith("_")}
    assert public == {n for pair in TWINS[cls].items() for n in pair if not n.startswith("_")} | ALONE[cls]


def test_twins_are_coroutines_or_async_iterators() -> None:
    for cls, twins in TWINS.items():
        for twin in twins.values():
            gives = inspect.signature(getattr(cls, twin)).return_annotation
            assert inspect.iscoroutinefunction(getattr(cls, twin)) or "AsyncResults" in gives


def test_optional_arguments_of_calls_are_keyword_only() -> None:
    for cls, twins in TWINS.items():
        for name in (name for pair in twins.items() for name in pair if not name.startswith("_")):
            parameters = list(inspect.signature(getattr(cls, name)).parameters.values())[2:]
            optional = [p for p in parameters if p.default is not p.empty]
            assert all(p.kind is p.KEYWORD_ONLY for p in optional), (cls, name)
