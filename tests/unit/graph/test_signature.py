"""What is read from a callable's annotations, and what is refused."""

from __future__ import annotations

import inspect
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, cast

import numpy as np
import pyarrow as pa
import pytest

import penguiray as pr
from penguiray.errors import FlowError
from penguiray.graph.signature import Signature, read_signature

EMPTY = inspect.Parameter.empty


def read(function: Any, *, batched: bool = False) -> Signature:
    return read_signature(function, batched=batched, owner="n")


def test_ports_of_functions_and_generators() -> None:
    def plain(x: int) -> str | None:
        return None

    async def waiting(x: int, ctx: pr.Context) -> str | None:
        return None

    def several(x: "int") -> Iterator[str]:  # noqa: UP037 - twice a text
        yield ""

    async def several_waiting(x: int, ctx: pr.Context) -> AsyncIterator[str]:
        yield ""

    def returns_iterator(x: int) -> Iterator[str]:
        return iter(())

    def bare(x):  # type: ignore[no-untyped-def]
        return x

    assert read(plain) == Signature(False, False, None, int, str, "list")
    assert read(waiting) == Signature(True, False, "ctx", int, str, "list")
    assert read(several) == Signature(False, True, None, int, str, "list")
    assert read(several_waiting) == Signature(True, True, "ctx", int, str, "list")
    assert read(returns_iterator).is_stream
    assert read(bare) == Signature(False, False, None, EMPTY, EMPTY, "list")


def test_defaults_self_and_keywords_are_no_ports() -> None:
    class Node:
        def __call__(self, x: int, scale: int = 2, *, deep: bool = False, **rest: Any) -> int:
            return x

    assert read(Node.__call__).input_type is int
    assert pr.actor(Node)().spec.signature.input_type is int


def test_types_of_the_enclosing_function_are_known() -> None:
    class Local:
        pass

    @pr.node
    def make(x: int) -> Local:
        return Local()

    assert make.spec.signature.output_type is Local


def test_a_name_that_is_not_known_means_unchecked() -> None:
    def odd(x: NotThere) -> int:  # type: ignore[name-defined]  # noqa: F821 - what the test is about
        return 1

    assert read(odd).input_type is EMPTY
    assert (read(odd).unresolved_input, read(odd).unresolved_output) == ("NotThere", "")


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        (
            'x, ctx: "pr.Contxt"',
            r"takes 2 .* \(x, ctx\); .*pr\.Context\. Annotations that cannot be resolved: 'pr\.Contxt' of ctx$",
        ),
        (
            'ctx: pr.Context, x: "itn"',
            r"write the message first: \(x, ctx: pr\.Context\)\. Annotations that cannot be resolved: 'itn' of x$",
        ),
    ],
)
def test_parameters_that_are_refused_are_told_with_annotations_that_cannot_be_resolved(
    parameters: str, text: str
) -> None:
    scope: dict[str, Any] = {"pr": pr}
    exec(f"def wrong({parameters}): pass", scope)  # noqa: S102 - the quickest way to such a function
    with pytest.raises(pr.FlowError, match=text):
        read(scope["wrong"])


@pytest.mark.parametrize("parameters", ["", "a, b", "ctx: pr.Context", "a, b, ctx: pr.Context"])
def test_a_node_takes_one_message_and_perhaps_a_context(parameters: str) -> None:
    scope: dict[str, Any] = {"pr": pr}
    exec(f"def wrong({parameters}): pass", scope)  # noqa: S102 - the quickest way to such a function
    with pytest.raises(pr.FlowError, match=r"node 'n'.* message parameters"):
        read(scope["wrong"])


def test_batch_ports_are_the_items() -> None:
    def plain(xs: list[int]) -> list[str | pr.Many[str] | None]:
        return []

    def table(t: pa.Table) -> pa.Table:
        return t

    def array(a: np.ndarray[Any, Any]) -> pr.Rows:
        return pr.Rows(a, parent=[])

    def bare(xs):  # type: ignore[no-untyped-def]
        return xs

    assert read(plain, batched=True) == Signature(False, False, None, int, str, "list")
    assert read(table, batched=True) == Signature(False, False, None, EMPTY, EMPTY, "arrow")
    assert read(array, batched=True) == Signature(False, False, None, EMPTY, EMPTY, "numpy")
    assert read(bare, batched=True).columns == "list"


def test_a_batch_node_takes_a_batch_and_gives_a_list() -> None:
    def single(x: int) -> int:
        return x

    def generator(xs: list[int]) -> Iterator[int]:
        yield from xs

    with pytest.raises(pr.FlowError, match="is a batch node but takes int; annotate"):
        read(single, batched=True)
    with pytest.raises(pr.FlowError, match="is a batch node and a generator"):
        read(generator, batched=True)


def test_the_wrong_decorator_says_which_is_right() -> None:
    class Model:
        pass

    node, actor = cast("Callable[[Any], Any]", pr.node), cast("Callable[[Any], Any]", pr.actor)
    with pytest.raises(pr.FlowError, match=r"is a class: make it a node with pr\.actor"):
        node(Model)
    with pytest.raises(pr.FlowError, match="has no __call__"):
        actor(Model)
    with pytest.raises(pr.FlowError, match="needs a class"):
        actor(len)
    with pytest.raises(pr.FlowError, match="needs a function"):
        node(7)


def test_setup_host_needs_no_object() -> None:
    class Model:
        def setup_host(self) -> None: ...

        def __call__(self, x: int) -> int:
            return x

    with pytest.raises(pr.FlowError, match=r"class 'Model' .*: setup_host is called before .*; make it a @classmethod"):
        pr.actor(Model)


def test_annotated_types_are_kept_for_validation_and_seen_through_for_edges() -> None:
    positive = Annotated[int, "positive"]

    @pr.node
    def first(x: int) -> int:
        return x

    @pr.node
    def second(x: positive) -> int:
        return x

    assert second.spec.signature.input_type == positive
    pr.Flow(first >> second)


async def is_even(x: int) -> bool:
    return x % 2 == 0


def add(total: int, x: int) -> int:
    return total + x


async def finish(total: int) -> int:
    return total


def test_what_is_called_in_place_must_not_be_async() -> None:
    with pytest.raises(FlowError, match="a predicate must not be async"):
        pr.route((is_even, pr.node(add_one)))  # type: ignore[arg-type]  # what is tested
    with pytest.raises(FlowError, match="finish must not be async"):
        pr.fold(int, add, finish)


def add_one(x: int) -> int:
    return x + 1


def test_a_default_whose_type_only_sounds_like_a_context_is_no_parameter_of_ours() -> None:
    def secure(x: int, tls: ssl.SSLContext | None = None) -> int:
        return x

    def stream(x: int) -> Iterator:  # type: ignore[type-arg]  # what is tested
        yield x

    assert read_signature(secure, batched=False, owner="secure").context is None
    assert read_signature(stream, batched=False, owner="stream").is_stream


def test_a_message_may_have_a_default_where_nothing_else_must_be_given() -> None:
    def some(x: int = 1, y: str = "") -> int:
        return x

    def both(x: int = 1, ctx: pr.Context = None) -> int:  # type: ignore[assignment]  # never called without
        return x

    for function in (some, both):
        assert read_signature(function, batched=False, owner="it").input_type is int
    assert read_signature(both, batched=False, owner="it").context == "ctx"
    assert read_signature(bool, batched=False, owner="it").context is None
