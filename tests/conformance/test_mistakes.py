"""What a mistake gets: an error that says what happened, where, and what to do, on either engine."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import penguiray as pr


class Client:
    def __init__(self) -> None:
        self.lock = threading.Lock()

    def get(self, x: int) -> int:
        return x


class Asks:
    """A node class that is given what it should make itself."""

    def __init__(self, client: object) -> None:
        self.client = client

    def __call__(self, x: int) -> int:
        return x


class Called:
    """An object that is called like a function."""

    __name__ = "Called"

    def __init__(self, opened: object) -> None:
        self.sockets = {"a": opened}

    def __call__(self, x: int) -> int:
        return x


client = Client()

MIB = 1024 * 1024


@pr.node
def plus_one(x: int) -> int:
    return x + 1


@pr.node
def uses_global(x: int) -> int:
    return client.get(x)


def by_closure(mine: Any) -> pr.Node[int, int]:
    @pr.node
    def fetch(x: int) -> int:
        assert mine
        return x

    return fetch


Make = Callable[[ExitStack], pr.Node[int, int]]
LOCK = r"is a _thread\.lock, which cannot be pickled"
UNSENDABLE: list[tuple[Make, str]] = [
    (
        lambda _: by_closure(client),
        rf"node 'fetch' \(.*test_mistakes:\d+\) .*its closure variable 'mine' -> \.lock {LOCK}",
    ),
    (lambda _: uses_global, rf"node 'uses_global' .* its global 'client' -> \.lock {LOCK}"),
    (lambda _: pr.actor(Asks)(client), rf"node 'Asks' .* its constructor argument 0 -> \.lock {LOCK}"),
    (lambda _: pr.actor(Asks)(client=[client]), rf"its constructor argument 'client' -> \[0\] -> \.lock {LOCK}"),
    (
        lambda stack: pr.node(Called(stack.enter_context(socket.socket()))),
        r"its attribute \.sockets -> \['a'\] is a socket\.socket, which cannot be pickled",
    ),
    (
        lambda stack: by_closure(stack.enter_context(Path(os.devnull).open("w"))),  # noqa: SIM115 - the stack closes it
        r"its closure variable 'mine' is an _io\.TextIOWrapper, which cannot be pickled",
    ),
]


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("make", "text"), UNSENDABLE, ids=["closure", "global", "argument", "keyword", "object", "file"]
)
def test_a_node_that_cannot_be_pickled_is_refused_when_its_flow_is_built(make: Make, text: str) -> None:
    with ExitStack() as stack:
        node = make(stack)
        with pytest.raises(pr.FlowError, match=text) as caught:
            pr.Flow(node)
    assert str(caught.value).endswith("Make it inside the function, or in the constructor or setup() of a class node")
    assert caught.value.node == node.name
    assert caught.value.path in str(caught.value)


@pr.node(fuse=False, retry=pr.Retry(max_attempts=3, initial_s=0))
def make(mebibytes: int) -> bytes:
    return b"x" * (mebibytes * MIB)


@pr.node(fuse=False)
def measure(data: bytes) -> int:
    return len(data)


@pr.node(fuse=False)
def make_several(mebibytes: int) -> Iterator[bytes]:
    yield from (b"x" * size for size in (1, mebibytes * MIB, 2))


SMALL = pr.FlowOptions(max_message_bytes=4 * MIB)
TOO_LARGE = (
    r"node {node!r} failed on a message( of inputs\[1\])?: .*a message of 5\.0 MiB is larger than the 4\.0 MiB that "
    r"may travel at once .*max_message_bytes.*: send a path or a key to the data, or cut it into several messages"
)


def check_too_large(error: object, node: str) -> None:
    assert isinstance(error, pr.NodeError)
    assert re.match(TOO_LARGE.format(node=node), str(error)), error
    assert (error.node, error.attempt) == (node, 1)
    cause = error.__cause__
    assert isinstance(cause, pr.MessageTooLarge)
    assert cause.limit_bytes == 4 * MIB
    assert 5 * MIB <= cause.size_bytes < 5 * MIB + 1_000


@pytest.mark.usefixtures("engine")
def test_a_message_above_the_limit_fails_alone_with_node_size_and_limit_and_is_not_tried_again() -> None:
    with pr.Flow(make >> measure, options=SMALL).start() as run:
        outcomes = list(run.map([1, 5, 2], ordered=True, on_error="yield"))
        assert [outcome for outcome in outcomes if isinstance(outcome, int)] == [MIB, 2 * MIB]
        check_too_large(outcomes[1], "make")
        assert run.status().nodes[0].retried == 0
        assert run.ask(3) == 3 * MIB


@pytest.mark.usefixtures("engine")
def test_a_result_above_the_limit_fails_alone() -> None:
    with pr.Flow(make, options=SMALL).start() as run:
        outcomes = list(run.map([1, 5, 2], ordered=True, on_error="yield"))
        assert [len(outcome) for outcome in outcomes if isinstance(outcome, bytes)] == [MIB, 2 * MIB]
        check_too_large(outcomes[1], "make")
    with pr.Flow(make_several, options=SMALL).start() as run:
        given = list(run.map([5], on_error="yield"))
        assert sorted(len(outcome) for outcome in given if isinstance(outcome, bytes)) == [1, 2]
        check_too_large(given[-1], "make_several")


@pytest.mark.usefixtures("engine")
def test_an_input_above_the_limit_is_told_to_who_asks() -> None:
    with pr.Flow(measure, options=SMALL).start() as run:
        with pytest.raises(pr.NodeError) as caught:
            run.ask(b"x" * 5 * MIB)
        check_too_large(caught.value, "measure")
        data = [b"x" * (size * MIB) for size in (1, 5, 2, 3)]
        outcomes = list(run.map(data, ordered=True, on_error="yield"))
        assert [outcome for outcome in outcomes if isinstance(outcome, int)] == [MIB, 2 * MIB, 3 * MIB]
        check_too_large(outcomes[1], "measure")


@pytest.mark.usefixtures("engine")
def test_messages_that_are_too_many_bytes_for_one_frame_go_in_several() -> None:
    options = pr.FlowOptions(link_bytes=2 * MIB)
    with pr.Flow(measure, options=options).start() as run:
        sizes = [1, 3 * MIB, 7, MIB, MIB, MIB, 2]
        results = run.collect([b"x" * size for size in sizes], ordered=True, headers={"kept": "yes"}, window=10)
    assert results == sizes


GIVEN = r"read to their end or closed, and are given only once: keep them with list\(\.\.\.\)"


@pytest.mark.usefixtures("engine")
def test_a_second_loop_over_results_is_refused_and_one_that_was_left_goes_on() -> None:
    flow = pr.Flow(plus_one)
    with flow.start() as run:
        results = run.map(range(5), ordered=True)
        assert next(results) == 1
        for result in results:
            assert result == 2
            break
        assert list(results) == [3, 4, 5]
        assert next(results, None) is None
        with pytest.raises(pr.ResultError, match=GIVEN):
            list(results)
        with run.stream(1) as streamed:
            assert list(streamed) == [2]
        with pytest.raises(pr.ResultError, match=GIVEN):
            list(streamed)
        failing = run.map(["no number"])  # type: ignore[list-item]  # what the test is about
        with pytest.raises(ValidationError):
            list(failing)
        with pytest.raises(pr.ResultError, match=GIVEN):
            list(failing)
    whole = flow.map([1])
    assert list(whole) == [2]
    with pytest.raises(pr.ResultError, match=GIVEN):
        list(whole)


@pytest.mark.usefixtures("engine")
def test_a_second_loop_over_results_is_refused_in_async_code_too() -> None:
    async def main() -> None:
        async with pr.Flow(plus_one).start() as run:
            results = run.amap([1, 2], ordered=True)
            assert await anext(results) == 2
            assert [result async for result in results] == [3]
            with pytest.raises(pr.ResultError, match=GIVEN):
                _ = [result async for result in results]

    asyncio.run(main())


@pytest.mark.usefixtures("engine")
def test_a_run_that_has_ended_says_so_and_stop_and_drain_may_be_called_again() -> None:
    flow = pr.Flow(plus_one, name="ended")
    run = flow.start()
    assert run.ask(1) == 2
    for end in (run.stop, run.stop, run.drain):
        end()
    text = r"run 'ended' takes no new messages: it was drained or stopped; flow\.start\(\) gives another run"
    for call in (lambda: run.ask(1), lambda: run.ask_all(1), lambda: list(run.map([1])), lambda: list(run.stream(1))):
        with pytest.raises(pr.RunClosed, match=text):
            call()


@pytest.mark.usefixtures("engine")
def test_a_flow_that_is_started_twice_has_two_runs() -> None:
    flow = pr.Flow(plus_one)
    with flow.start() as first, flow.start() as second:
        assert first is not second
        first.stop()
        assert second.ask(1) == 2


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((), r"pr\.Flow takes nodes, graphs and tuples of them, not \(\)"),
        (None, r"pr\.Flow takes nodes, graphs and tuples of them, not None"),
        (len, r"len is a plain function: decorate it with @pr\.node"),
        (pr.actor(Asks), r"<ActorNode Asks from test_mistakes:\d+> is not built yet: write Asks\(\.\.\.\)"),
    ],
    ids=["nothing", "none", "function", "class"],
)
def test_a_flow_of_nothing_or_of_what_is_no_node_is_refused_with_what_to_write(given: Any, text: str) -> None:
    with pytest.raises(pr.FlowError, match=text):
        pr.Flow(given)


@pr.node(fuse=False)
def gives_lock(x: int) -> object:
    return threading.Lock() if x == 1 else x


@pr.node(fuse=False)
def takes_anything(x: object) -> object:
    return x


def test_a_message_or_result_that_cannot_be_pickled_fails_alone_where_it_has_to_be(engine: str) -> None:
    for graph in (gives_lock >> takes_anything, pr.fan(gives_lock)):
        with pr.Flow(graph).start() as run:
            outcomes = list(run.map([0, 1, 2], ordered=True, on_error="yield"))
            assert outcomes[::2] == [0, 2]
            if engine == "local":  # hands values over by reference
                assert isinstance(outcomes[1], type(threading.Lock()))
            else:
                error = outcomes[1]
                assert isinstance(error, pr.NodeError)
                assert re.match(
                    r"node 'gives_lock' failed on a message of inputs\[1\]: TypeError: cannot pickle '_thread\.lock'",
                    str(error),
                )
                assert isinstance(error.__cause__, TypeError)
            assert run.ask(3) == 3


@pr.node
def squares(x: int):  # type: ignore[no-untyped-def]  # what the test is about
    return (n * n for n in range(x))


@pr.node
async def squares_late(x: int):  # type: ignore[no-untyped-def]  # as above
    return (n * n for n in range(x))


@pr.node
def misspelt(x: int) -> Iteratr[int]:  # type: ignore[name-defined]  # noqa: F821 - as above
    return (n * n for n in range(x))


@pr.node
def iterable(x: int) -> Iterable[int]:
    return (n * n for n in range(x))


async def counting(x: int) -> AsyncIterator[int]:
    yield x


@pr.node
def several_late(x: int):  # type: ignore[no-untyped-def]  # as above
    return counting(x)


class Squares:
    def __call__(self, x: int, ctx: pr.Context) -> Any:
        return (n * n for n in range(x))


YIELD = "let the function yield itself, so that each item becomes a message"
GENERATORS = (
    (squares, rf"the function returned a generator: annotate it `-> Iterator\[\.\.\.\]`, or {YIELD}"),
    (squares_late, rf"the function returned a generator: {YIELD}"),
    (misspelt, r"the function, whose annotation 'Iteratr\[int\]' cannot be resolved, returned a generator: annotate"),
    (iterable, r"the function returned a generator: annotate"),
    (several_late, rf"the function returned an async generator: annotate it `-> AsyncIterator\[\.\.\.\]`, or {YIELD}"),
    (pr.actor(Squares)(), r"the function returned a generator: annotate"),
)


@pytest.mark.usefixtures("engine")
def test_a_generator_that_a_node_returns_without_saying_so_fails_the_message_with_what_to_write() -> None:
    with pr.Flow(pr.fan(*(node for node, _ in GENERATORS))).start() as run:
        (outcome,) = run.map([3], on_error="yield")
        errors = {letter.node: letter.error for letter in run.dead_letters()}
    assert isinstance(outcome, pr.NodeError)
    for node, text in GENERATORS:
        assert re.search(f"node '{node.name}' failed on a message.*: TypeError: {text}", str(errors[node.name]))
