"""What is wrong with a flow is said when it is built, with the nodes and where they were written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

import penguiray as pr
from penguiray.graph.node import Graph
from penguiray.graph.spec import Shape


@pr.node
def length(text: str) -> int:
    return len(text)


@pr.node
def shout(text: str) -> str:
    return text.upper()


@pr.node
def half(x: int) -> float:
    return x / 2


@pr.node
def only_emits(x: int, ctx: pr.Context) -> None:
    ctx.emit(x)


@pr.node
def nothing(x: int) -> None:
    return None


@pr.node
def either(x: int) -> int | str:
    return x


@pr.node
def words(text: str) -> Iterator[str]:
    yield from text.split()


@pr.node
def total(xs: list[int]) -> int:
    return sum(xs)


def any_join(first: Any, second: Any) -> Any:
    """Joins nodes that no type checker would let through."""
    return first >> second


def test_what_may_give_other_messages_the_second_time_is_refused_where_a_sum_counts_both() -> None:
    varies = words.options(deterministic=False)
    total: pr.Node[int, int] = pr.fold(int, lambda total, x: total + x, int, name="sum")
    graph = varies >> length >> total
    with pytest.raises(pr.FlowError, match=r"node 'words' \(.*\) is deterministic=False, but 'sum' gathers messages"):
        pr.Flow(graph)
    with pytest.raises(pr.FlowError, match="but 'group' gathers messages of several inputs"):
        pr.Flow(varies >> length >> pr.join(key=abs, name="group"))
    around = pr.fan(length >> total, length.options(name="too")) >> half.options(deterministic=False)
    with pytest.raises(pr.FlowError, match=r"node 'half' .* is deterministic=False"):
        pr.Flow(words >> around)
    pr.Flow(varies >> length >> pr.join(name="per input"))
    pr.Flow(varies >> length.options(delivery="at_most_once") >> total)
    pr.Flow(words >> length >> total >> half.options(deterministic=False))


def test_an_edge_between_types_that_cannot_fit_names_both_nodes_and_lines() -> None:
    text = r"'length' \(.*test_check:\d+\) gives int, but 'shout' \(.*test_check:\d+\) takes str"
    with pytest.raises(pr.FlowError, match=text) as caught:
        pr.Flow(any_join(length, shout), name="bad")
    assert vars(caught.value) == {"node": "shout"}
    assert "'bad'" in str(caught.value)


def test_every_member_of_a_given_union_must_fit() -> None:
    with pytest.raises(pr.FlowError, match="takes int"):
        pr.Flow(any_join(either, half))
    pr.Flow(words >> length >> half)


def test_a_node_that_gives_nothing_can_only_end_a_flow() -> None:
    pr.Flow(length >> nothing)
    with pytest.raises(pr.FlowError, match="returns None, so nothing would ever reach 'half'"):
        pr.Flow(any_join(nothing, half))
    with pytest.raises(pr.FlowError, match=r"annotate what it emits, like `-> int \| None`, or end the flow there"):
        pr.Flow(any_join(only_emits, half))


def test_a_list_parameter_behind_single_messages_hints_at_batches() -> None:
    with pytest.raises(pr.FlowError, match=r"needs batch=pr.Batch"):
        pr.Flow(any_join(length, total))


def test_two_nodes_of_one_name_are_refused_and_the_same_node_twice_is_not() -> None:
    with pytest.raises(pr.FlowError, match=r"two nodes are named 'half'.*\.options\(name=\.\.\.\)"):
        pr.Flow(length >> (half, half.options(replicas=1)))
    pr.Flow(pr.fan(length, words >> length))


def test_a_cycle_is_refused_with_its_nodes() -> None:
    a, b = shout.options(name="a"), shout.options(name="b")
    shape = (a >> b).shape
    cycle = Shape(shape.nodes, (*shape.edges, *(b >> a).shape.edges), shape.sources, shape.ends)
    with pytest.raises(pr.FlowError, match=r"a \(.*:\d+\) >> b \(.*:\d+\) form a cycle; .*pr.Back"):
        pr.Flow(Graph(cycle))
    with pytest.raises(pr.FlowError, match="cycle"):
        pr.Flow(shout >> shout)


@pytest.mark.parametrize("name", ["", "a/b"])
def test_an_unusable_name_is_refused(name: str) -> None:
    with pytest.raises(pr.FlowError, match="flow name"):
        pr.Flow(length, name=name)


def test_things_that_are_no_nodes_are_refused_with_what_to_write() -> None:
    def plain(x: int) -> int:
        return x

    class Model:
        def __call__(self, x: int) -> int:
            return x

    for other, hint in (
        (plain, "decorate it with @pr.node"),
        (Model, r"plain class: make it a node with pr.actor\(...\)\(Model\)"),
        (pr.actor(Model), "write Model"),
        (7, "joins nodes, graphs and tuples"),
        ((), "joins nodes, graphs and tuples"),
        ((half, 7), "joins nodes, graphs and tuples"),
    ):
        with pytest.raises(pr.FlowError, match=hint):
            any_join(length, other)
    with pytest.raises(pr.FlowError, match="at least one"):
        pr.fan()


def test_a_join_gives_lists_of_what_reaches_it() -> None:
    @pr.node
    def number(x: int) -> int:
        return x

    @pr.node
    def text(x: int) -> str:
        return str(x)

    @pr.node
    def unknown(x: int):  # type: ignore[no-untyped-def]  # what nobody has annotated is not checked
        return x

    @pr.node
    def add(xs: list[int]) -> int:
        return sum(xs)

    twice = number.options(name="twice")
    pr.Flow(number >> (twice, unknown) >> pr.join(2) >> add)
    pr.Flow(number >> (twice, twice.options(name="thrice")) >> pr.join(2) >> add)
    with pytest.raises(pr.FlowError, match=r"'join' .*gives list\[.*\], but 'add' .* takes list\[int\]"):
        pr.Flow(any_join(number >> (twice, text) >> pr.join(2), add))


def test_joining_makes_a_new_graph_and_leaves_its_parts_alone() -> None:
    first = length >> half
    before = first.shape
    second = any_join(first, half.options(name="again"))
    assert first.shape is before
    assert [node.name for node in second.shape.nodes] == ["length", "half", "again"]
    assert [node.name for node in first.shape.ends] == ["half"]


def test_a_route_needs_pairs_and_a_fold_needs_functions() -> None:
    for wrong in ((), (half,), ((half, half, half),)):
        with pytest.raises(pr.FlowError, match="pair"):
            cast("Any", pr.route)(*wrong)
    with pytest.raises(pr.FlowError, match="add must be callable"):
        cast("Any", pr.fold)(int, 7)


@pytest.mark.parametrize(
    "options", [{"replicas": 2}, {"batch": pr.Batch()}, {"retry": pr.Retry()}, {"timeout_s": 1.0}, {"validate": True}]
)
def test_a_fold_refuses_options_that_its_sum_cannot_have(options: dict[str, Any]) -> None:
    def add(a: int, b: int) -> int:
        return a + b

    with pytest.raises(pr.FlowError, match=r"pr\.fold 'sum'"):
        pr.fold(int, add, name="sum").options(**options)
    assert pr.fold(int, add).options(name="other", memory=100).name == "other"
