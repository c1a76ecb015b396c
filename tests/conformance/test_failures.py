"""What a caller learns of a node's failure."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TypeVar

import pytest

import penguiray as pr

T = TypeVar("T")


class ModuleError(Exception):
    """Of a module that no worker can import."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = 7


class TwoArguments(Exception):
    """Its own pickling fails: the constructor wants more than `args` holds."""

    def __init__(self, what: str, code: int) -> None:
        super().__init__(f"{what} {code}")
        self.code = code


class HoldsLock(Exception):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


class NoText(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even a text")


@pr.node(replicas=1)
def fail(kind: str) -> str:
    if kind == "module":
        raise ModuleError("mine")
    if kind == "two":
        raise TwoArguments("mine", 7)
    if kind == "lock":
        raise HoldsLock("mine")
    if kind == "text":
        raise NoText
    if kind == "stop":
        raise StopIteration
    if kind == "chained":
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("mine") from error
    return kind


def given_before(error: type[Exception], results: Iterator[T]) -> list[T]:
    """What an iterator gives before it raises that error."""
    given = []
    try:
        while True:
            given.append(next(results))
    except error:
        return given


def cause_of(run: pr.Run[str, str], kind: str) -> BaseException | None:
    with pytest.raises(pr.NodeError, match="'fail'") as caught:
        run.ask(kind)
    return caught.value.__cause__


@pytest.mark.usefixtures("engine")
def test_the_cause_of_a_node_error_is_the_users_exception_with_its_type_and_traceback() -> None:
    with pr.Flow(fail).start() as run:
        module, two, chained = (cause_of(run, kind) for kind in ("module", "two", "chained"))
        assert run.ask("fine") == "fine"
    assert type(module) is ModuleError
    assert (str(module), module.code) == ("mine", 7)
    assert type(two) is TwoArguments
    assert (str(two), two.code) == ("mine 7", 7)
    assert type(chained) is ValueError
    assert "KeyError: 'first'" in chained.__notes__[0]
    assert 'raise ValueError("mine") from error' in chained.__notes__[0]


@pytest.mark.usefixtures("engine")
def test_an_exception_that_cannot_travel_is_told_as_text_with_its_traceback() -> None:
    with pr.Flow(fail).start() as run:
        locked = cause_of(run, "lock")
        assert type(locked) is pr.RemoteError
        assert locked.type_name.endswith("HoldsLock")
        assert "mine" in str(locked)
        assert 'raise HoldsLock("mine")' in locked.__notes__[0]


@pytest.mark.usefixtures("engine")
def test_no_exception_of_user_code_ends_a_replica() -> None:
    with pr.Flow(fail).start() as run:
        assert cause_of(run, "text") is not None
        assert cause_of(run, "stop") is not None
        assert run.ask("fine") == "fine"


@pytest.mark.usefixtures("engine")
def test_an_exception_class_of_a_function_keeps_its_type() -> None:
    class Local(Exception):
        pass

    @pr.node(replicas=1)
    def raise_local(x: int) -> int:
        raise Local(x)

    with pr.Flow(raise_local).start() as run, pytest.raises(pr.NodeError) as caught:
        run.ask(5)
    assert type(caught.value.__cause__) is Local
    assert caught.value.__cause__.args == (5,)


@pr.node(replicas=1)
def refuse_odd(x: int) -> int:
    if x % 2:
        raise ValueError(x)
    return x


@pr.node(replicas=1)
def plus_ten(x: int) -> int:
    return x + 10


@pr.node(replicas=1)
def give_then_fail(x: int) -> Iterator[int]:
    yield x
    yield x
    if x % 2:
        raise ValueError(x)
    yield x


@pytest.mark.usefixtures("engine")
def test_map_raises_yields_or_skips_a_failed_input() -> None:
    with pr.Flow(plus_ten >> refuse_odd).start() as run:
        assert run.collect(range(6), on_error="skip", ordered=True) == [10, 12, 14]
        kept = list(run.map(range(6), on_error="yield", ordered=True))
        assert [type(result) for result in kept] == [int, pr.NodeError] * 3
        errors = [error for error in kept if isinstance(error, pr.NodeError)]
        assert [error.index for error in errors] == [1, 3, 5]
        assert "'refuse_odd' failed on a message of inputs[3]: ValueError: 13" in str(errors[1])
        with pytest.raises(pr.NodeError, match="'refuse_odd' failed on a message: ValueError: 11"):
            run.ask(1)
        assert given_before(pr.NodeError, run.map([0, 2, 3, 4], ordered=True)) == [10, 12]
        assert run.ask(0) == 10


@pytest.mark.usefixtures("engine")
def test_map_gives_the_results_that_a_failed_input_had_and_then_the_error() -> None:
    with pr.Flow(give_then_fail).start() as run:
        results = list(run.map([2, 3, 4], ordered=True, on_error="yield"))
        assert [result if isinstance(result, int) else type(result) for result in results] == [
            2, 2, 2, 3, 3, pr.NodeError, 4, 4, 4
        ]  # fmt: skip
        assert given_before(pr.NodeError, run.map([3], ordered=True)) == [3, 3]
        with pytest.raises(pr.NodeError):
            run.ask_all(3)


@pytest.mark.usefixtures("engine")
def test_dead_letters_tell_node_value_attempts_trace_and_cause() -> None:
    again = refuse_odd.options(retry=pr.Retry(max_attempts=2, initial_s=0))
    with pr.Flow(plus_ten >> again).start() as run:
        with pytest.raises(pr.NodeError) as caught:
            run.ask(1, trace_id="here")
        assert run.collect(range(4), on_error="skip", ordered=True) == [10, 12]
        letters = run.dead_letters()
    error = caught.value
    assert (error.node, error.attempt, error.trace_id) == ("refuse_odd", 2, "here")
    assert "after 2 attempts" in str(error)
    assert error.message_id != 0
    assert [(letter.node, letter.trace_id == "here") for letter in letters[:1]] == [("refuse_odd", True)]
    assert sorted(letter.value for letter in letters) == [11, 11, 13]
    assert all(type(letter.error.__cause__) is ValueError for letter in letters)
    assert len({letter.trace_id for letter in letters}) == 3


@pytest.mark.usefixtures("engine")
def test_every_failed_message_is_a_dead_letter_and_its_input_fails_once() -> None:
    graph = plus_ten >> (refuse_odd, refuse_odd.options(name="refuse too")) >> plus_ten.options(name="end")
    with pr.Flow(graph).start() as run:
        results = list(run.map([1, 2], on_error="yield", ordered=True))
        letters = run.dead_letters()
        assert run.status().dead_letters == 2
    assert [type(result) for result in results] == [pr.NodeError, int, int]
    assert sorted(letter.node for letter in letters) == ["refuse too", "refuse_odd"]


@pytest.mark.usefixtures("engine")
def test_the_value_of_a_dead_letter_is_kept_only_while_small() -> None:
    @pr.node(replicas=1)
    def refuse(value: bytes) -> bytes:
        raise ValueError(len(value))

    with pr.Flow(refuse).start() as run:
        for size in (10, 1_000_000):
            with pytest.raises(pr.NodeError):
                run.ask(b"x" * size)
        assert [letter.value for letter in run.dead_letters()] == [b"x" * 10, None]
