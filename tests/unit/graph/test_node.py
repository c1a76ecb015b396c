"""Class nodes: the arguments that they are made with are those that the constructor takes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

import penguiray as pr


class Embed:
    def __init__(self, model: str, size: int = 2, *, deep: bool = False) -> None: ...

    def __call__(self, x: int) -> int:
        return x


class Plain:
    def __call__(self, x: int) -> int:
        return x


@pytest.mark.parametrize(
    ("cls", "given", "named", "text"),
    [
        (Embed, (), {}, r"missing a required argument: 'model'; its constructor takes \(model, size, \*, deep\)$"),
        (Embed, (), {"model": "m", "sise": 3}, r"got an unexpected keyword argument 'sise'"),
        (Embed, ("m", 1, True), {}, r"too many positional arguments"),
        (Plain, ("m",), {}, r"too many positional arguments; its constructor takes \(\)$"),
    ],
)
def test_arguments_that_a_constructor_does_not_take_are_refused_where_they_are_written(
    cls: type, given: tuple[Any, ...], named: dict[str, Any], text: str
) -> None:
    make: Callable[..., Any] = pr.actor(name="mine")(cls)
    where = rf"node 'mine' \(test_node:\d+\): the class {cls.__name__} cannot be built with these arguments: "
    with pytest.raises(pr.FlowError, match=where + text) as caught:
        make(*given, **named)
    assert caught.value.node == "mine"


def with_model(init: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(init)
    def filled(self: object, *rest: object) -> None:
        init(self, "model", *rest)

    return filled


class Filled(Embed):
    __init__ = with_model(Embed.__init__)


class Table(dict[str, int]):
    def __call__(self, x: int) -> int:
        return x


class Model(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    size: int = Field(alias="itsSize")

    def __call__(self, x: int) -> int:
        return x


def test_a_class_that_does_not_say_what_it_takes_may_be_given_anything() -> None:
    filled: Callable[..., Any] = pr.actor(Filled)
    table: Callable[..., Any] = pr.actor(Table)
    model: Callable[..., Any] = pr.actor(Model)
    assert pr.Flow(filled()).collect([1], engine="local") == [1]
    assert pr.Flow(table(one=1)).collect([1], engine="local") == [1]
    assert pr.Flow(model(size=1)).collect([1], engine="local") == [1]
