"""How nodes are joined, and what each shape gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

import penguiray as pr


@pr.node
def plus_one(x: int) -> int:
    return x + 1


@pr.node
def double(x: int) -> int:
    return 2 * x


@pr.node
def negate(x: int) -> int:
    return -x


@pr.node
def thousand(x: int) -> int:
    return x + 1_000


@pr.node
async def plus_one_waiting(x: int) -> int:
    return x + 1


@pr.node
def twice(x: int) -> Iterator[int]:
    yield x
    yield x


@pytest.mark.usefixtures("engine")
def test_a_fused_chain_and_one_that_is_not_give_the_same_results_and_counts() -> None:
    fused = plus_one >> double >> negate
    spread = plus_one.options(fuse=False) >> double.options(fuse=False) >> negate.options(fuse=False)
    assert len(pr.Flow(fused).plan().stages) == 1
    assert len(pr.Flow(spread).plan().stages) == 3
    for graph in (fused, spread):
        with pr.Flow(graph).start() as run:
            assert run.collect(range(50), ordered=True) == [-2 * (x + 1) for x in range(50)]
            counts = [(node.name, node.taken, node.given, node.failed) for node in run.status().nodes]
        assert counts == [("plus_one", 50, 50, 0), ("double", 50, 50, 0), ("negate", 50, 50, 0)]


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("as_list", [False, True])
def test_every_successor_gets_every_message_and_fan_in_takes_them_all(as_list: bool) -> None:
    middle = [double, negate] if as_list else (double, negate)
    with pr.Flow(plus_one >> middle >> thousand).start() as run:
        assert sorted(run.ask_all(1)) == [998, 1_004]
        results = run.collect(range(30))
    assert Counter(results) == Counter(y + 1_000 for x in range(30) for y in (2 * (x + 1), -(x + 1)))


@pytest.mark.usefixtures("engine")
def test_several_sources_each_take_the_input_and_several_ends_each_give_results() -> None:
    for graph in (pr.fan(plus_one, double) >> (negate, thousand), (plus_one, double) >> pr.fan(negate, thousand)):
        with pr.Flow(graph).start() as run:
            assert sorted(run.ask_all(5)) == [-10, -6, 1_006, 1_010]


@pytest.mark.usefixtures("engine")
def test_one_function_serves_as_several_nodes_under_other_names() -> None:
    again = plus_one.options(name="again")
    diamond = plus_one >> (again, double) >> plus_one.options(name="last")
    with pr.Flow(diamond).start() as run:
        assert sorted(run.ask_all(1)) == [4, 5]
        assert {node.name: node.taken for node in run.status().nodes} == {
            "plus_one": 1, "again": 1, "double": 1, "last": 2
        }  # fmt: skip
    assert plus_one(1) == 2


@pytest.mark.usefixtures("engine")
def test_sync_async_and_streaming_nodes_join_in_one_chain() -> None:
    with pr.Flow(plus_one >> plus_one_waiting >> twice >> double).start() as run:
        assert run.ask_all(1) == [6, 6]
        assert Counter(run.collect(range(10))) == Counter([2 * (x + 2) for x in range(10)] * 2)


def is_even(x: int) -> bool:
    return x % 2 == 0


def is_small(x: int) -> bool:
    return x < 10


@pytest.mark.usefixtures("engine")
def test_route_sends_each_message_down_the_first_branch_that_accepts_it() -> None:
    chosen = pr.route((is_even, double), (is_small, negate >> thousand), default=thousand.options(name="else"))
    with pr.Flow(plus_one >> chosen).start() as run:
        assert [run.ask(x) for x in (3, 4, 20)] == [8, 995, 1_021]
        assert Counter(run.collect(range(20))) == Counter(
            2 * y if y % 2 == 0 else 1_000 - y if y < 10 else y + 1_000 for y in range(1, 21)
        )


@pytest.mark.usefixtures("engine")
def test_route_without_a_default_fails_for_what_nothing_accepts_and_names_itself() -> None:
    chosen = pr.route((is_even, double), name="parity")
    with pr.Flow(chosen >> plus_one).start() as run:
        assert run.ask(4) == 9
        with pytest.raises(pr.NodeError, match="parity") as caught:
            run.ask(3)
        assert caught.value.node == "parity"
        assert run.ask(6) == 13


def add(total: int, x: int) -> int:
    return total + x


def append(total: list[int], x: int) -> list[int]:
    total.append(x)
    return total


def in_order(total: list[int]) -> Iterator[int]:
    yield from sorted(total)


def mean(total: list[int]) -> float | None:
    return sum(total) / len(total) if total else None


@pytest.mark.usefixtures("engine")
def test_a_fold_gives_one_sum_for_each_call_even_of_no_input() -> None:
    total = pr.fold(int, add)
    with pr.Flow(twice >> total).start() as run:
        assert run.collect(range(100)) == [2 * sum(range(100))]
        assert run.collect([]) == [0]
        assert run.ask(21) == 42
        assert run.collect(range(10), ordered=True) == [90]


@pytest.mark.usefixtures("engine")
def test_the_finish_of_a_fold_may_give_several_messages_or_none() -> None:
    graph = plus_one >> (pr.fold(list, append, in_order, name="sorted"), pr.fold(list, append, mean, name="mean"))
    with pr.Flow(graph).start() as run:
        results = run.collect(range(4))
        assert sorted(results) == [1, 2, 2.5, 3, 4]
        assert run.collect([]) == []
        assert sorted(run.ask_all(1)) == [2, 2.0]


@pytest.mark.usefixtures("engine")
def test_a_fold_may_feed_further_nodes_and_another_fold() -> None:
    first = pr.fold(list, append, in_order, name="first")
    graph = plus_one >> first >> double >> pr.fold(int, add, name="second") >> negate
    with pr.Flow(graph).start() as run:
        assert run.collect(range(10)) == [-110]
        assert run.collect([]) == [0]


def refuse_three(total: int, x: int) -> int:
    if x == 3:
        raise ValueError("three")
    return total + x


@pytest.mark.usefixtures("engine")
def test_a_message_that_a_fold_refuses_fails_alone_and_the_sum_is_of_the_others() -> None:
    total = pr.fold(int, refuse_three, name="sum")
    with pr.Flow(plus_one >> total).start() as run:
        results = list(run.map(range(5), on_error="yield"))
        errors = [result for result in results if isinstance(result, pr.NodeError)]
        assert [result for result in results if not isinstance(result, pr.NodeError)] == [12]
        assert [(error.node, type(error.__cause__)) for error in errors] == [("sum", ValueError)]


@pytest.mark.usefixtures("engine")
def test_a_flow_with_one_message_of_credit_still_gives_everything() -> None:
    tight = pr.FlowOptions(link_messages=1, frame_messages=1)
    graph = twice >> (double, plus_one_waiting) >> thousand >> twice.options(name="twice again")
    with pr.Flow(graph, options=tight).start() as run:
        results = run.collect(range(20))
    assert Counter(results) == Counter([y + 1_000 for x in range(20) for y in (2 * x, x + 1)] * 4)
