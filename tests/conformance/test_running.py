"""What a run does when it is asked, drained, stopped and looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeVar

import pytest
from pydantic import BaseModel, ValidationError

import penguiray as pr

T = TypeVar("T")


class Page(BaseModel):
    url: str
    size: int = 0


@pr.node(replicas=1)
def plus_one(x: int) -> int:
    return x + 1


@pr.node(replicas=1)
def measured(page: Page) -> Page:
    return Page(url=page.url, size=len(page.url))


@pr.node
def times(x: int) -> Iterator[int]:
    for _ in range(x):
        yield x


@pr.node(replicas=1)
def refuse_odd(x: int) -> int:
    if x % 2:
        raise ValueError(x)
    return x


def given_before(error: type[Exception], results: Iterator[T]) -> list[T]:
    """What an iterator gives before it raises that error."""
    given = []
    try:
        while True:
            given.append(next(results))
    except error:
        return given


class Reads:
    """Inputs without an end, which count how many were read."""

    def __init__(self) -> None:
        self.count = 0

    def __iter__(self) -> Iterator[int]:
        while True:
            self.count += 1
            yield self.count - 1


@pytest.mark.usefixtures("engine")
def test_ask_wants_exactly_one_result_and_ask_all_takes_any_number() -> None:
    with pr.Flow(times, name="numbers").start() as run:
        assert run.ask(1) == 1
        assert run.ask_all(0) == []
        assert run.ask_all(3) == [3, 3, 3]
        with pytest.raises(pr.NoResult):
            run.ask(0)
        with pytest.raises(pr.ManyResults) as caught:
            run.ask(2)
        assert caught.value.results == 2
        assert run.ask(1) == 1
        assert run.name == "numbers"


@pytest.mark.usefixtures("engine")
def test_map_gives_all_results_and_in_the_order_of_the_inputs_where_asked() -> None:
    with pr.Flow(plus_one).start() as run:
        assert sorted(run.map(range(500))) == list(range(1, 501))
        assert list(run.map(range(500), ordered=True)) == list(range(1, 501))
        assert run.collect([]) == []
        assert run.collect(iter([1]), ordered=True) == [2]
    flow = pr.Flow(times)
    assert list(flow.map([2, 0, 1], ordered=True)) == [2, 2, 1]
    assert Counter(flow.collect([2, 0, 3])) == Counter([2, 2, 3, 3, 3])


@pytest.mark.usefixtures("engine")
def test_an_input_is_checked_before_anything_is_sent_and_in_map_only_it_fails() -> None:
    with pr.Flow(measured).start() as run:
        assert run.ask(Page(url="abc")) == Page(url="abc", size=3)
        assert run.ask({"url": "abcd"}).size == 4  # type: ignore[arg-type]  # pydantic makes a page of it
        with pytest.raises(ValidationError, match="url"):
            run.ask({"link": "abc"})  # type: ignore[arg-type]  # what the test is about
        assert run.status().nodes[0].taken == 2
        inputs: list[Any] = [Page(url="a"), {"link": "b"}, Page(url="ccc")]
        results = list(run.map(inputs, ordered=True, on_error="yield"))
        assert [type(result) for result in results] == [Page, ValidationError, Page]
        assert getattr(results[1], "__notes__", None) == ["It is about inputs[1] of 'flow'."]
        assert run.collect(inputs, on_error="skip", ordered=True) == [results[0], results[2]]
        assert given_before(ValidationError, run.map(inputs, ordered=True)) == [Page(url="a", size=1)]
        assert run.dead_letters() == []


@pytest.mark.usefixtures("engine")
def test_drain_finishes_what_was_admitted_reads_no_more_and_closes_the_run() -> None:
    reads = Reads()
    run = pr.Flow(plus_one).start()
    results = run.map(reads, window=10)
    given = [next(results)]
    run.drain()
    read = reads.count
    given += results
    assert sorted(given) == list(range(1, read + 1))
    assert reads.count == read
    run.drain()
    run.stop()
    assert run.status().state == "stopped"
    for call in (lambda: run.ask(1), lambda: run.ask_all(1), lambda: run.collect([1]), lambda: next(run.map([1]))):
        with pytest.raises(pr.RunClosed) as caught:
            call()
        assert caught.value.run == "flow"


@pytest.mark.usefixtures("engine")
def test_stop_ends_a_map_that_is_being_read_and_may_be_called_again() -> None:
    run = pr.Flow(plus_one).start()
    results = run.map(Reads(), window=10)
    next(results)
    run.stop()
    assert len(given_before(pr.RunClosed, results)) < 10
    run.stop()
    run.drain()
    with pytest.raises(pr.RunClosed):
        run.ask(1)
    assert run.status().state == "stopped"


@pytest.mark.usefixtures("engine")
def test_a_run_that_was_never_waited_for_can_be_stopped() -> None:
    pr.Flow(plus_one).start().stop()


@pytest.mark.usefixtures("engine")
def test_an_exception_leaves_the_block_as_it_is_and_stops_the_run() -> None:
    flow = pr.Flow(plus_one)
    run = flow.start()
    results = run.map(Reads())

    def block() -> None:
        with run:
            next(results)
            raise KeyError("mine")

    with pytest.raises(KeyError):
        block()
    with pytest.raises(pr.RunClosed):
        run.ask(1)


@pytest.mark.usefixtures("engine")
def test_leaving_the_loop_of_a_map_ends_the_call_and_leaves_the_run_usable() -> None:
    reads = Reads()
    with pr.Flow(plus_one).start() as run:
        with run.map(reads, window=5) as results:
            for _ in results:
                break
        assert reads.count <= 6
        assert next(results, None) is None
        assert run.status().inputs_live == 0
        assert run.ask(1) == 2
        assert run.collect(range(20), ordered=True) == list(range(1, 21))
    flow, reads = pr.Flow(plus_one), Reads()
    for _ in flow.map(reads, window=5):
        break
    assert reads.count <= 6


@pytest.mark.usefixtures("engine")
def test_an_error_of_the_inputs_themselves_reaches_the_loop() -> None:
    def inputs() -> Iterator[int]:
        yield 1
        raise ConnectionError("source")

    with pr.Flow(plus_one).start() as run:
        with pytest.raises(ConnectionError, match="source"):
            list(run.map(inputs()))
        assert run.ask(1) == 2


@pytest.mark.usefixtures("engine")
def test_several_calls_of_one_run_do_not_mix() -> None:
    with pr.Flow(plus_one).start() as run:
        outer = run.map(range(50), ordered=True, window=7)
        seen = []
        for result in outer:
            seen.append(result)
            if result % 10 == 0:
                assert run.ask(result) == result + 1
                assert run.collect(range(5), ordered=True) == [1, 2, 3, 4, 5]
    assert seen == list(range(1, 51))


@pytest.mark.usefixtures("engine")
def test_status_counts_what_each_node_took_gave_and_gave_up_on() -> None:
    retried = refuse_odd.options(retry=pr.Retry(max_attempts=2, initial_s=0))
    graph = plus_one >> retried >> plus_one.options(name="after")
    with pr.Flow(graph, name="counted").start() as run:
        assert len(pr.Flow(graph).plan().stages) == 1
        assert run.collect(range(10), on_error="skip", ordered=True) == [3, 5, 7, 9, 11]
        status = run.status()
    counts = {node.name: (node.taken, node.given, node.failed, node.retried) for node in status.nodes}
    assert counts == {"plus_one": (10, 10, 0, 0), "refuse_odd": (10, 5, 5, 5), "after": (5, 5, 0, 0)}
    assert (status.inputs_done, status.inputs_live, status.dead_letters) == (10, 0, 5)
    assert (status.name, status.state) == ("counted", "running")
    assert "refuse_odd" in str(status)


@pytest.mark.usefixtures("engine")
def test_parts_that_are_not_built_yet_say_so() -> None:
    with pr.Flow(plus_one).start() as run, pytest.raises(pr.NotYetError):
        run.explain()
