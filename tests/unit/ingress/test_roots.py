"""Roots are done when all their messages are, in whatever order the reports come and however often."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import penguiray as pr
from penguiray.ingress.roots import GeneralRoots, News, Roots, StraightRoots, roots_for
from penguiray.link.ids import child_id, first_id, root_of
from penguiray.plan.plan import Plan, Stage, StageEdge


@pr.node
def plain(x: int) -> int:
    return x


@pr.node(batch=pr.Batch())
def batched(xs: list[int]) -> list[int]:
    return xs


def straight_plan(stages: int) -> Plan:
    graph: pr.Graph[int, int] = plain.options(name="0", fuse=False)
    for number in range(1, stages):
        graph = graph >> plain.options(name=str(number), fuse=False)
    return pr.Flow(graph).plan()


@given(seed=st.integers(0, 2**32), stages=st.integers(1, 5), inputs=st.integers(1, 8))
def test_the_quick_way_for_straight_flows_agrees_with_the_general_one_if_stages_before_have_told_by_then(
    seed: int, stages: int, inputs: int
) -> None:
    rng, plan = random.Random(seed), straight_plan(stages)
    quick, general = StraightRoots(plan), GeneralRoots(1_000)
    roots = [root_of(3, position) for position in range(inputs)]
    first = [first_id(root, plan.sources[0]) for root in roots]
    for followed in (quick, general):
        followed.announce(roots, [first])
    told: dict[int, list[tuple[Stage, int, int, int]]] = {}
    for root, message_id in zip(roots, first, strict=True):
        ends_at, here = rng.choice([None, *range(stages)]), message_id
        mine = told[root] = []
        for stage in plan.stages:
            mine.append((stage, root, here, 0 if ends_at == stage.index else 1))
            if ends_at == stage.index:
                break
            here = child_id(here, stage.index + 1)
    reports = [report for mine in told.values() for report in mine]
    reports += rng.sample(reports, len(reports) // 2)
    rng.shuffle(reports)
    for stage, root, message_id, count in reports:
        for before in told[root][: stage.index]:
            general.finish(*before)
        assert quick.finish(stage, root, message_id, count) is general.finish(stage, root, message_id, count)
        assert (root in quick) == (root in general)
    assert len(quick) == len(general) == 0


@given(seed=st.integers(0, 2**32), stages=st.integers(1, 5), inputs=st.integers(1, 8))
def test_a_column_of_messages_says_what_they_say_one_by_one(seed: int, stages: int, inputs: int) -> None:
    rng, plan = random.Random(seed), straight_plan(stages)
    single, column = StraightRoots(plan), StraightRoots(plan)
    roots = [root_of(3, position) for position in range(inputs)]
    for followed in (single, column):
        followed.announce(roots, [roots])
    for _ in range(4 * stages):
        stage = rng.choice(plan.stages)
        reported = rng.choices(roots, k=rng.randrange(1, 2 * inputs + 1))
        assert column.finish_column(stage, reported) == [single.finish(stage, root, 0, 1) for root in reported]
        assert list(column) == list(single)


def test_a_root_is_done_once_and_unknown_afterwards() -> None:
    plan = straight_plan(1)
    roots = roots_for(plan)
    root = root_of(1, 0)
    roots.announce([root], [[first_id(root, 0)]])
    assert roots.finish(plan.stages[0], root, first_id(root, 0), 1, None) is News.DONE
    assert roots.finish(plan.stages[0], root, first_id(root, 0), 1, None) is News.KNOWN


@pytest.mark.parametrize("kind", [StraightRoots, GeneralRoots])
def test_forgetting_a_call_leaves_the_others(kind: type[StraightRoots] | type[GeneralRoots]) -> None:
    plan = straight_plan(2)
    roots = StraightRoots(plan) if kind is StraightRoots else GeneralRoots(1_000)
    mine, others = [root_of(1, 0), root_of(1, 1)], [root_of(2, 0)]
    for some in (mine, others):
        roots.announce(some, [[first_id(root, 0) for root in some]])
    roots.drop(roots.of_call(1))
    assert [root in roots for root in (*mine, *others)] == [False, False, True]
    roots.clear()
    assert len(roots) == 0


def test_only_chains_of_stages_that_give_at_most_one_are_followed_the_quick_way() -> None:
    other = plain.options(name="other")
    assert isinstance(roots_for(straight_plan(3)), StraightRoots)
    for graph in (plain >> (other, other.options(name="third")), pr.fan(plain, other), plain >> batched):
        assert isinstance(roots_for(pr.Flow(graph).plan()), GeneralRoots)


def test_roots_that_are_followed_can_be_listed_whatever_the_flow() -> None:
    plan = straight_plan(2)
    mine = [root_of(1, position) for position in range(3)]
    for roots in (StraightRoots(plan), GeneralRoots(1_000)):
        roots.announce(mine, [[child_id(root, 0) for root in mine]])
        assert list(roots) == mine
        assert len(roots) == 3


def test_a_column_that_is_too_short_is_refused_and_no_root_is_followed_by_half() -> None:
    roots = GeneralRoots(1_000)
    for columns in ([[1]], [[1, 2], [3]], [[1, 2], [3, 4, 5]]):
        with pytest.raises(ValueError, match=r"shorter|longer"):
            roots.announce([root_of(1, 0), root_of(1, 1)], columns)


@pytest.mark.parametrize("stages", [1, 2, 4])
def test_a_message_is_finished_when_its_stage_has_told_so_and_so_is_that_of_a_root_that_is_not_followed(
    stages: int,
) -> None:
    plan, root, unknown = straight_plan(4), root_of(1, 0), root_of(1, 1)
    for roots in (StraightRoots(plan), GeneralRoots(1_000)):
        ids = [child_id(root, 0)]
        for stage in range(1, 4):
            ids.append(child_id(ids[-1], stage))
        roots.announce([root], [ids[:1]])
        for stage in range(stages - 1):
            roots.finish(plan.stages[stage], root, ids[stage], 1)
        assert [roots.is_finished(stage, root, ids[stage]) for stage in range(4)] == [
            stage < stages - 1 for stage in range(4)
        ]
        assert roots.is_finished(0, unknown, child_id(unknown, 0))


def test_a_straight_root_is_done_when_its_last_stage_has_told_and_what_others_tell_late_is_no_news() -> None:
    plan, root = straight_plan(3), root_of(1, 0)
    roots = StraightRoots(plan)
    roots.announce([root], [[child_id(root, 0)]])
    assert roots.finish(plan.stages[1], root, 0, 1) is News.OPEN
    assert roots.finish(plan.stages[0], root, 0, 1) is News.KNOWN
    assert roots.finish(plan.stages[2], root, 0, 1) is News.DONE
    assert roots.finish(plan.stages[1], root, 0, 1) is News.KNOWN


def test_a_straight_flow_has_no_join_at_which_something_could_wait() -> None:
    plan, root = straight_plan(2), root_of(1, 0)
    roots: Roots = StraightRoots(plan)
    roots.announce([root], [[child_id(root, 0)]])
    roots.park(plan.stages[1], root, child_id(root, 0))
    assert roots.stuck_at(root) is None
    assert list(roots.parked_at(root, 1)) == []


def test_a_root_whose_last_messages_wait_at_a_join_is_stuck_there_and_open() -> None:
    plan, root = straight_plan(3), root_of(1, 0)
    roots, parent = GeneralRoots(1_000), child_id(root, 0)
    roots.announce([root], [[parent]])
    waiting, other = child_id(parent, 1), child_id(parent, 1, 1)
    assert roots.finish(plan.stages[0], root, parent, 2) is News.OPEN
    assert roots.stuck_at(root) is None
    roots.park(plan.stages[1], root, waiting)
    assert roots.stuck_at(root) is None
    assert roots.finish(plan.stages[1], root, other, 0) is News.OPEN
    assert (roots.stuck_at(root), roots.stuck_at(root_of(1, 1))) == (1, None)
    assert (list(roots.parked_at(root, 1)), list(roots.parked_at(root, 2))) == ([waiting], [])
    assert roots.finish(plan.stages[1], root, waiting, 0) is News.DONE


@pytest.mark.parametrize("count", [1, 4, 5, 50])
def test_a_root_may_have_as_many_messages_as_the_limit_says_and_not_one_more(count: int) -> None:
    plan, root = straight_plan(2), root_of(1, 0)
    roots, parent = GeneralRoots(5), child_id(root, 0)
    roots.announce([root], [[parent]])
    is_over = count + 1 > 5
    assert roots.finish(plan.stages[0], root, parent, count) is (News.OVER if is_over else News.OPEN)
    assert (root in roots) is not is_over
    if not is_over:
        children = [child_id(parent, 1, index) for index in range(count)]
        news = [roots.finish(plan.stages[1], root, child, 1) for child in children]
        assert news == [*[News.OPEN] * (count - 1), News.DONE]


def test_a_message_whose_outputs_are_results_leaves_nothing_open() -> None:
    plan, root = straight_plan(1), root_of(1, 0)
    roots = GeneralRoots(1_000)
    roots.announce([root], [[child_id(root, 0)]])
    assert roots.finish(plan.stages[0], root, child_id(root, 0), 7) is News.DONE


def test_each_output_is_followed_along_the_edges_that_it_took() -> None:
    stage = replace(straight_plan(1).stages[0], edges=(StageEdge(1, None), StageEdge(2, 0), StageEdge(3, 1)))
    root = root_of(1, 0)
    parent = child_id(root, 0)

    def followed(count: int, chosen: int | dict[int, int] | None) -> set[int]:
        roots = GeneralRoots(1_000)
        roots.announce([root], [[parent]])
        roots.finish(stage, root, parent, count, chosen)
        return set(roots.missing(set())[root])

    assert followed(2, None) == {child_id(parent, 1), child_id(parent, 1, 1)}
    assert followed(1, 0) == {child_id(parent, 2)}
    assert followed(1, -1 - 3) == {child_id(parent, 3)}
    assert followed(4, {0: 1, 2: 0, 3: -1 - 1}) == {
        child_id(parent, 3, 0), child_id(parent, 1, 1), child_id(parent, 2, 2), child_id(parent, 1, 3),
    }  # fmt: skip
