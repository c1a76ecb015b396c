"""A call that was given something else than inputs is refused when it is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

import penguiray as pr


class Page(BaseModel):
    url: str


@pr.node
def same(x: Any) -> Any:
    return x


FLOW = pr.Flow(same)
MANY: list[Callable[..., Any]] = [FLOW.map, FLOW.collect, FLOW.amap]


@pytest.mark.parametrize("call", MANY)
@pytest.mark.parametrize("one", ["text", b"bytes", Page(url="a")])
def test_one_input_in_place_of_many_is_refused_with_what_to_write(call: Callable[..., Any], one: Any) -> None:
    kind = type(one).__name__
    with pytest.raises(pr.FlowError, match=rf"map|collect\(\) takes many inputs, and was given a single {kind}; write"):
        call(one, engine="local")


@pytest.mark.parametrize("call", MANY)
def test_what_cannot_be_iterated_is_refused(call: Callable[..., Any]) -> None:
    with pytest.raises(pr.FlowError, match="takes an iterable of inputs, not 3"):
        call(3, engine="local")


@pytest.mark.parametrize("call", MANY)
def test_an_unknown_word_for_errors_is_refused_before_anything_starts(call: Callable[..., Any]) -> None:
    with pytest.raises(pr.FlowError, match="on_error='ignore': use one of 'raise', 'yield', 'skip'"):
        call([1], on_error="ignore", engine="local")


@pytest.mark.parametrize("call", MANY)
def test_an_unknown_engine_is_refused_before_the_first_result_is_asked_for(call: Callable[..., Any]) -> None:
    with pytest.raises(pr.FlowError, match="there is no engine 'loca': use 'ray' or 'local'"):
        call([1], engine="loca")


@pytest.mark.parametrize("call", MANY)
def test_an_unknown_argument_is_refused_before_anything_starts(call: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="windw"):
        call([1], windw=3)


def test_results_say_how_to_read_them() -> None:
    results = FLOW.map([1], engine="local")
    assert repr(results) == "<Results: read with for, or keep them with list(...)>"
    assert list(results) == [1]
    assert repr(results) == "<Results: ended>"
    assert repr(FLOW.amap([1], engine="local")) == "<AsyncResults: read with async for>"
