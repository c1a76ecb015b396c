"""What a node may be, what it is given, and what its answer means."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pydantic import BaseModel

import penguiray as pr

Tagged = tuple[str, int]


@pr.node
def plain(x: int) -> Tagged | None:
    return ("function", x) if x else None


@pr.node
async def waiting(x: int) -> Tagged | None:
    await asyncio.sleep(0)
    return ("async", x) if x else None


@pr.node
def several(x: int) -> Iterator[Tagged]:
    for number in range(x):
        yield "generator", number


@pr.node
async def several_waiting(x: int) -> AsyncIterator[Tagged]:
    for number in range(x):
        await asyncio.sleep(0)
        yield "async generator", number


@pr.node
def plain_with_context(x: int, ctx: pr.Context) -> Tagged | None:
    ctx.emit(("function", -1))
    ctx.emit(("function", ctx.attempt))
    return ("function", x) if x else None


@pr.node
async def waiting_with_context(x: int, ctx: pr.Context) -> Tagged | None:
    ctx.emit(("async", -1))
    await asyncio.sleep(0)
    ctx.emit(("async", ctx.attempt))
    return ("async", x) if x else None


@pr.node
def several_with_context(x: int, ctx: pr.Context) -> Iterator[Tagged]:
    for number in range(x):
        ctx.emit(("generator", -1))
        yield "generator", number
    ctx.emit(("generator", -2))


@pr.node
async def several_waiting_with_context(x: int, ctx: pr.Context) -> AsyncIterator[Tagged]:
    for number in range(x):
        ctx.emit(("async generator", -1))
        yield "async generator", number
        await asyncio.sleep(0)
    ctx.emit(("async generator", -2))


def by_tag(results: list[Tagged]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for tag, number in results:
        found.setdefault(tag, []).append(number)
    return found


@pytest.mark.usefixtures("engine")
def test_each_kind_of_function_gives_its_messages_in_order_and_none_means_nothing() -> None:
    flow = pr.Flow(pr.fan(plain, waiting, several, several_waiting))
    with flow.start() as run:
        two, zero = run.ask_all(2), run.ask_all(0)
        many = run.collect(range(20))
    assert by_tag(two) == {"function": [2], "async": [2], "generator": [0, 1], "async generator": [0, 1]}
    assert zero == []
    streamed = Counter(number for x in range(20) for number in range(x))
    found = {tag: Counter(numbers) for tag, numbers in by_tag(many).items()}
    assert found["function"] == found["async"] == Counter(range(1, 20))
    assert found["generator"] == found["async generator"] == streamed


@pytest.mark.usefixtures("engine")
def test_what_a_call_emits_comes_before_what_it_returns_or_yields_next() -> None:
    nodes = (plain_with_context, waiting_with_context, several_with_context, several_waiting_with_context)
    flow = pr.Flow(pr.fan(*nodes))
    with flow.start() as run:
        two, zero = run.ask_all(2), run.ask_all(0)
    streamed = [-1, 0, -1, 1, -2]
    returned = [-1, 1, 2]
    assert by_tag(two) == {
        "function": returned, "async": returned, "generator": streamed, "async generator": streamed
    }  # fmt: skip
    assert by_tag(zero) == {"function": [-1, 1], "async": [-1, 1], "generator": [-2], "async generator": [-2]}


@pr.node(replicas=1)
def pair(x: int) -> tuple[int, list[int]]:
    return x, [x, x]


@pr.node(replicas=1)
def as_list(x: tuple[int, list[int]]) -> list[int]:
    return [x[0], *x[1]]


@pytest.mark.usefixtures("engine")
def test_a_returned_tuple_or_list_is_one_message() -> None:
    with pr.Flow(pair >> as_list).start() as run:
        assert run.ask(3) == [3, 3, 3]
        assert run.collect([1, 2], ordered=True) == [[1, 1, 1], [2, 2, 2]]


@pr.node(replicas=1)
def emits_too_much(x: int, ctx: pr.Context) -> int:
    for number in range(x):
        ctx.emit(number)
    return -1


@pytest.mark.usefixtures("engine")
def test_a_call_emits_a_thousand_messages_and_no_more() -> None:
    with pr.Flow(emits_too_much).start() as run:
        assert run.ask_all(1_000) == [*range(1_000), -1]
        with pytest.raises(pr.NodeError, match="emitted more than 1000 messages"):
            run.ask_all(1_001)


class Life:
    """Notes each step of its life in a file, which the test can read wherever the object lived."""

    def __init__(self, log: str, *, factor: int = 1) -> None:
        self.log = Path(log)
        self.factor = factor
        self.note("built")

    def note(self, what: str) -> None:
        with self.log.open("a") as file:
            file.write(f"{what} ")

    def setup(self) -> None:
        self.note("setup")

    def __call__(self, x: int) -> int:
        self.note("call")
        return x * self.factor

    def close(self) -> None:
        self.note("close")


class AsyncLife(Life):
    async def setup(self) -> None:  # type: ignore[override]  # both forms are what the test is about
        await asyncio.sleep(0)
        self.note("setup")

    async def __call__(self, x: int) -> int:  # type: ignore[override]
        await asyncio.sleep(0)
        self.note("call")
        return x * self.factor

    async def close(self) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        self.note("close")


life = pr.actor(replicas=1)(Life)
async_life = pr.actor(replicas=1)(AsyncLife)


@pytest.mark.usefixtures("engine")
def test_a_class_is_built_set_up_called_and_closed_once_in_its_replica(tmp_path: Path) -> None:
    sync_log, async_log = tmp_path / "sync", tmp_path / "async"
    flow = pr.Flow(pr.fan(life(str(sync_log), factor=2), async_life(str(async_log), factor=3)))
    with flow.start() as run:
        assert sorted(run.ask_all(1)) == [2, 3]
        assert sorted(run.ask_all(10)) == [20, 30]
    assert sync_log.read_text() == async_log.read_text() == "built setup call call close "


class Counting:
    """A class whose call is a generator with a context, and which needs neither setup nor close."""

    def __init__(self, start: int) -> None:
        self.start = start

    def __call__(self, x: int, ctx: pr.Context) -> Iterator[str]:
        for number in range(self.start, self.start + x):
            yield f"{ctx.node} {number}"


class CountingAsync(Counting):
    async def __call__(self, x: int, ctx: pr.Context) -> AsyncIterator[str]:  # type: ignore[override]
        for number in range(self.start, self.start + x):
            yield f"{ctx.node} {number}"


@pytest.mark.usefixtures("engine")
def test_one_class_makes_several_nodes_each_with_its_own_arguments() -> None:
    counting, counting_async = pr.actor(Counting), pr.actor(CountingAsync)
    near, far = counting.options(name="near")(0), counting.options(name="far")(100)
    flow = pr.Flow(pr.fan(near, far, counting_async(7)))
    with flow.start() as run:
        results = run.ask_all(2)
    assert sorted(results) == ["CountingAsync 7", "CountingAsync 8", "far 100", "far 101", "near 0", "near 1"]


class Fails:
    def __init__(self, where: str) -> None:
        self.where = where
        if where == "constructor":
            raise LookupError("no model")

    def setup(self) -> None:
        if self.where == "setup":
            raise LookupError("no model")

    def __call__(self, x: int) -> int:
        return x


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("where", ["constructor", "setup"])
def test_a_node_that_cannot_start_is_a_start_error_with_its_cause(where: str) -> None:
    flow = pr.Flow(pr.actor(replicas=1)(Fails)("nowhere") >> pr.actor(name="fused", replicas=1)(Fails)(where))
    assert len(flow.plan().stages) == 1
    text = r"node 'fused' \(test_nodes:\d+\) did not start.*: LookupError: no model"
    with pytest.raises(pr.StartError, match=text) as caught, flow.start():
        pass
    assert caught.value.node == "fused"
    assert isinstance(caught.value.__cause__, LookupError)
    assert "in __init__" in caught.value.__cause__.__notes__[0] or "in setup" in caught.value.__cause__.__notes__[0]


Batched = tuple[str, int, int]


@pr.node(batch=pr.Batch(max_size=3), replicas=1)
def batched(xs: list[int]) -> list[Batched | pr.Many[Batched] | None]:
    made = [("sync", x, len(xs)) for x in xs]
    return [None if x == 0 else pr.Many([one, one]) if x < 0 else one for x, one in zip(xs, made, strict=True)]


@pr.node(batch=pr.Batch(max_size=3))
async def batched_waiting(xs: list[int]) -> list[Batched | pr.Many[Batched] | None]:
    await asyncio.sleep(0)
    made = [("async", x, len(xs)) for x in xs]
    return [None if x == 0 else pr.Many([one, one]) if x < 0 else one for x, one in zip(xs, made, strict=True)]


class BatchedClass:
    def __init__(self, tag: str) -> None:
        self.tag = tag

    def __call__(self, xs: list[int], ctx: pr.Context) -> list[Batched | pr.Many[Batched] | None]:
        ctx.emit((f"{self.tag} emitted", 0, 0))
        made = [(self.tag, x, len(xs)) for x in xs]
        return [None if x == 0 else pr.Many([one, one]) if x < 0 else one for x, one in zip(xs, made, strict=True)]


batched_class = pr.actor(batch=pr.Batch(max_size=3), replicas=1)(BatchedClass)


@pytest.mark.usefixtures("engine")
def test_a_batch_node_gives_an_entry_per_input_none_for_nothing_and_many_for_several() -> None:
    flow = pr.Flow(pr.fan(batched, batched_waiting, batched_class("class")))
    with flow.start() as run:
        one = run.ask_all(5)
        results = run.collect(range(-3, 10), window=13)
    assert Counter(one) == Counter([("sync", 5, 1), ("async", 5, 1), ("class emitted", 0, 0), ("class", 5, 1)])
    wanted = Counter([-3, -3, -2, -2, -1, -1, *range(1, 10)])
    for tag in ("sync", "async", "class"):
        assert Counter(x for found, x, _ in results if found == tag) == wanted
    assert max(size for _, _, size in results) <= 3


class Point(BaseModel):
    x: int
    y: int


@pr.node(batch=pr.Batch(max_size=4), replicas=1)
def table_same_length(table: pa.Table) -> pa.Table:
    return pa.table({"sum": pc.add(table["x"], table["y"])})


@pr.node(batch=pr.Batch(max_size=4), replicas=1)
def table_rows(table: pa.Table) -> pr.Rows:
    parents = [index for index, x in enumerate(table["x"].to_pylist()) for _ in range(x)]
    return pr.Rows(table.select(["x"]).take(pa.array(parents, pa.int64())), parent=parents)


@pytest.mark.usefixtures("engine")
def test_a_batch_node_may_take_and_give_an_arrow_table() -> None:
    flow = pr.Flow(pr.fan(table_same_length, table_rows))
    points = [Point(x=x, y=10 * x) for x in range(4)]
    with flow.start() as run:
        results = run.collect(points)
        alone = run.ask_all(Point(x=0, y=7))
    sums = sorted(row["sum"] for row in results if "sum" in row)
    rows = sorted(row["x"] for row in results if "x" in row)
    assert sums == [0, 11, 22, 33]
    assert rows == [1, 2, 2, 3, 3, 3]
    assert alone == [{"sum": 7}]


@pr.node(batch=pr.Batch(max_size=4), replicas=1)
def array_same_length(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    assert rows.ndim == 2
    return rows * 2


@pr.node(batch=pr.Batch(max_size=4), replicas=1)
def array_rows(rows: np.ndarray[Any, Any]) -> pr.Rows:
    return pr.Rows(np.repeat(rows[:1], 2, axis=0) + 100, parent=[0, 0])


@pytest.mark.usefixtures("engine")
def test_a_batch_node_may_take_and_give_numpy_arrays() -> None:
    flow = pr.Flow(pr.fan(array_same_length, array_rows))
    with flow.start() as run:
        alone = run.ask_all(np.array([1.0, 2.0]))
        many = run.collect([np.array([x, x]) for x in range(6)])
    assert sorted(row.tolist() for row in alone) == [[2.0, 4.0], [101.0, 102.0], [101.0, 102.0]]
    assert sorted(row.tolist() for row in many if row[0] < 100) == [[2 * x, 2 * x] for x in range(6)]
