"""Code that was pickled by value still knows where it was written."""

from __future__ import annotations

import pickle
import re
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

import penguiray
from penguiray.link.classes import by_value
from penguiray.link.pickler import dumps


def divide(x: int) -> list[float]:
    def inner(y: int) -> list[float]:
        return [1 / z for z in (y,)]

    def outer(y: int) -> list[float]:
        return inner(y)

    return outer(x)


def carried(function: Any) -> Any:
    with by_value():
        return pickle.loads(dumps(function))  # noqa: S301 - pickled just now


def traceback_of(function: Callable[[int], Any]) -> list[str]:
    with pytest.raises(ZeroDivisionError) as caught:
        function(0)
    return traceback.format_tb(caught.value.__traceback__)[1:]


def with_file_names(code: CodeType, names: Iterator[str]) -> CodeType:
    """The code with the next of the names for itself and each piece inside it."""
    constants = tuple(with_file_names(it, names) if isinstance(it, CodeType) else it for it in code.co_consts)
    return code.replace(co_filename=next(names), co_consts=constants)


def file_names(code: CodeType) -> Iterator[str]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from file_names(constant)
    yield code.co_filename


def test_the_traceback_of_a_function_by_value_shows_its_lines_like_that_of_the_function_itself() -> None:
    back = carried(divide)
    assert back is not divide
    assert traceback_of(back) == traceback_of(divide)
    assert "return [1 / z for z in (y,)]" in "".join(traceback_of(back))


def test_every_piece_of_code_keeps_the_name_of_its_own_file() -> None:
    n_pieces = len(list(file_names(divide.__code__)))
    names = [f"/some/folder/{number}.py" for number in range(n_pieces)]
    code = with_file_names(divide.__code__, iter(names))
    assert n_pieces > 2
    assert carried(code) == code
    assert list(file_names(carried(code))) == names


def test_code_with_equal_file_names_gives_equal_bytes_whichever_of_them_are_one_object() -> None:
    shared, apart = (
        with_file_names(divide.__code__, iter(names))
        for names in ([__file__] * 9, ["".join(__file__) for _ in range(9)])
    )
    assert dumps(apart) == dumps(shared)
    assert dumps([__file__, shared]) == dumps(["".join(__file__), shared])


def test_nothing_else_in_the_package_pickles_with_cloudpickle() -> None:
    files = Path(penguiray.__file__).parent.rglob("*.py")
    own_way = re.compile(r"cloudpickle\.(dumps?|Pickler|CloudPickler)\b|from cloudpickle")
    assert {path.name for path in files if own_way.search(path.read_text(encoding="utf-8"))} == {"pickler.py"}
