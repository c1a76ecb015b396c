"""What a plan says about its stages: which way outputs go, and what of it can be made again after a loss."""

from __future__ import annotations

from collections.abc import Iterator

import penguiray as pr
from penguiray.graph.node import Graph
from penguiray.plan.plan import Plan, StageEdge, goes_along


@pr.node(fuse=False)
def a(x: int) -> int:
    return x


@pr.node(fuse=False)
def several(x: int) -> Iterator[int]:
    yield x


@pr.node(fuse=False, deterministic=False)
def unsure(x: int) -> int:
    return x


@pr.node(fuse=False, delivery="at_most_once")
def once(x: int) -> int:
    return x


@pr.node(fuse=False)
def gathered(xs: list[int]) -> list[int]:
    return xs


def add(total: int, x: int) -> int:
    return total + x


def itself(x: int) -> int:
    return x


SUM = pr.fold(int, add)
BY_INPUT: Graph[int, list[int]] = several >> pr.join(2)
BY_KEY: Graph[int, list[int]] = several >> pr.join(2, key=itself)


def planned(graph: Graph[int, object]) -> Plan:
    return pr.Flow(graph).plan()


def named(plan: Plan, stages: frozenset[int]) -> set[str]:
    return {plan.stages[index].last.name for index in stages}


def test_an_output_that_was_sent_nowhere_in_particular_takes_all_edges_without_a_branch_and_no_other() -> None:
    edges = [StageEdge(1, None), StageEdge(2, 0), StageEdge(3, 1)]
    assert [goes_along(edge, None) for edge in edges] == [True, False, False]


def test_an_output_that_was_sent_down_a_branch_takes_the_edges_of_that_branch_and_no_other() -> None:
    edges = [StageEdge(1, None), StageEdge(2, 0), StageEdge(3, 1)]
    assert [goes_along(edge, 0) for edge in edges] == [False, True, False]
    assert [goes_along(edge, 1) for edge in edges] == [False, False, True]


def test_an_output_that_was_sent_to_one_stage_takes_the_edge_that_leads_there_whatever_its_branch() -> None:
    edges = [StageEdge(0, 1), StageEdge(1, None), StageEdge(2, 0), StageEdge(3, 1)]
    taken = [[edge.target for edge in edges if goes_along(edge, -1 - stage)] for stage in range(5)]
    assert taken == [[0], [1], [2], [3], []]


def test_a_sum_a_join_by_key_and_all_that_they_lead_to_cannot_be_made_again() -> None:
    behind: Graph[int, object] = a >> SUM >> a.options(name="next") >> a.options(name="last")
    plan = planned(behind)
    assert named(plan, plan.unrepeatable) == {"fold", "next", "last"}
    plan = planned(BY_KEY >> gathered)
    assert named(plan, plan.unrepeatable) == {"join", "gathered"}


def test_a_join_by_input_can_be_made_again_unless_the_flow_sums_up_somewhere_else() -> None:
    assert planned(BY_INPUT >> gathered).unrepeatable == frozenset()
    assert planned(a).unrepeatable == frozenset()
    beside = planned(pr.fan(BY_INPUT >> gathered, a >> SUM))
    assert named(beside, beside.unrepeatable) == {"join", "gathered", "fold"}


def test_the_first_node_that_may_not_get_a_message_twice_is_named() -> None:
    assert planned(a >> several).once is None
    assert planned(a >> once >> once.options(name="again")).once == "once"


def test_an_input_begins_anew_where_another_attempt_may_give_other_messages_and_nothing_has_counted_the_first() -> None:
    assert not planned(a >> several).begins_anew
    assert planned(a >> unsure).begins_anew
    assert planned(a >> BY_INPUT).begins_anew
    assert planned(unsure >> BY_INPUT).begins_anew
    assert not planned(a >> unsure >> once).begins_anew
    assert not planned(a >> BY_KEY).begins_anew
    assert not planned(a >> SUM).begins_anew
    assert not planned(pr.fan(BY_INPUT, a >> SUM)).begins_anew
