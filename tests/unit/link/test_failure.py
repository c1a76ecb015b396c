"""Exceptions on their way to the caller."""

from __future__ import annotations

import pickle
import threading

from penguiray.errors import RemoteError
from penguiray.link.failure import CarriedError, Failure


class TwoArguments(Exception):
    def __init__(self, what: str, code: int) -> None:
        super().__init__(f"{what} {code}")
        self.code = code


class HoldsLock(Exception):
    def __init__(self) -> None:
        super().__init__("locked")
        self.lock = threading.Lock()


class NoText(Exception):
    def __str__(self) -> str:
        raise ValueError


class Changes(Exception):
    """Becomes something else when it is unpickled."""

    def __reduce__(self) -> tuple[type[dict[str, int]], tuple[()]]:
        return dict, ()


def raised(error: Exception) -> CarriedError:
    try:
        raise error
    except Exception as caught:
        carried: CarriedError = pickle.loads(pickle.dumps(CarriedError.of(caught)))  # noqa: S301 - its own bytes
        return carried


def test_an_exception_is_restored_with_type_facts_and_the_traceback_as_a_note() -> None:
    odd = UnicodeDecodeError("a", b"", 0, 1, "b")
    for error in (ValueError("a", 1), TwoArguments("mine", 7), OSError(2, "gone", "file"), odd):
        carried = raised(error)
        back = carried.restore()
        assert type(back) is type(error)
        assert back.args == error.args
        assert str(back) == str(error) == carried.text
        assert getattr(back, "code", 0) == getattr(error, "code", 0)
        assert "raise error" in back.__notes__[0]


def test_what_it_was_raised_from_is_carried_along_and_a_round_of_causes_ends() -> None:
    first, second = KeyError("first"), HoldsLock()
    second.__cause__ = first
    error = ValueError("third")
    error.__cause__ = second
    back = raised(error).restore()
    assert isinstance(back.__cause__, RemoteError)
    assert isinstance(back.__cause__.__cause__, KeyError)
    assert "'first'" in back.__notes__[0]
    first.__cause__ = first
    seen, last = 0, raised(first).restore()
    while last.__cause__ is not None:
        seen, last = seen + 1, last.__cause__
    assert 0 < seen < 10


def test_one_that_cannot_travel_becomes_a_remote_error_with_its_text() -> None:
    back = raised(HoldsLock()).restore()
    assert isinstance(back, RemoteError)
    assert back.type_name.endswith("HoldsLock")
    assert str(back) == f"{back.type_name}: locked"
    assert "raise error" in back.__notes__[0]


def test_one_that_has_no_text_or_changes_its_type_is_carried_all_the_same() -> None:
    assert type(raised(NoText()).restore()) is NoText
    assert type(raised(Changes("x")).restore()) is Changes


def test_a_value_is_kept_while_it_is_small_and_can_be_pickled() -> None:
    assert Failure.packed_value("x" * 100)[0]
    assert Failure.packed_value("x" * 100_000) == (b"", ())
    assert Failure.packed_value(threading.Lock()) == (b"", ())
