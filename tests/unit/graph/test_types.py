"""Which annotated types may follow each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, NewType, Protocol, TypeVar

import pytest
from pydantic import BaseModel
from typing_extensions import TypeAliasType

from penguiray.graph.types import accepts, show, union_members, without_alias, without_none

T = TypeVar("T")
Id = NewType("Id", int)


class Base(BaseModel):
    pass


class Derived(Base):
    pass


class Sized(Protocol):
    def size(self) -> int: ...


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        (int, int), (Base, Derived), (float, int), (complex, float), (object, str), (Any, str), (int, Any),
        (T, str), (int | str, int), (int | None, int), (int | str, str | int), (list[int], list[int]),
        (list, list[int]), (list[int], list), (Sequence[int], list[int]), (Mapping[str, int], dict[str, int]),
        (dict[str, float], dict[str, int]), (Annotated[int, 1], int), (int, Annotated[int, 1]), (Sized, Base),
        (Literal["a"], str), (Id, int), (list[Base], list[Derived]), (Iterable[str], str), (int, bool),
        (tuple[int, str], tuple[int, str]), (type[Base], type[Derived]),
    ],
)  # fmt: skip
def test_what_may_fit_is_let_through(wanted: Any, given: Any) -> None:
    assert accepts(wanted, given)


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        (int, str), (Derived, Base), (int, float), (int, int | str), (str | bytes, int), (list[int], list[str]),
        (list[int], int), (dict[str, int], dict[str, str]), (Annotated[int, 1], str),
        (tuple[int, str], tuple[str, str]),
        (list[Derived], list[Base]), (int, None | int),
    ],
)  # fmt: skip
def test_what_is_surely_wrong_is_refused(wanted: Any, given: Any) -> None:
    assert not accepts(wanted, given)


def test_unions_are_taken_apart_and_shown_as_written() -> None:
    assert union_members(int | None) == (int, type(None))
    assert union_members(int) == (int,)
    assert without_none(int | None) is int
    assert without_none(type(None)) is type(None)
    assert (show(Any), show(int), show(list[int]), show(int | str)) == ("Any", "int", "list[int]", "int | str")


def test_a_named_type_is_what_it_stands_for() -> None:

    pages = TypeAliasType("pages", list[int])
    of = TypeAliasType("of", list[T], type_params=(T,))
    assert without_alias(pages) == list[int]
    assert without_alias(of[str]) == list[str]
    assert without_alias(TypeAliasType("again", pages)) == list[int]
    assert without_alias(list[int]) == list[int]
    assert without_alias(int) is int
