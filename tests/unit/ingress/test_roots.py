"""Roots are done when all their messages are, in whatever order the reports come and however often."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import penguiray as pr
from penguiray.ingress.roots import GeneralRoots, News, StraightRoots, roots_for
from penguiray.link.ids import child_id, first_id, root_of
from penguiray.plan.plan import Plan


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
def test_the_quick_way_for_straight_flows_agrees_with_the_general_one(seed: int, stages: int, inputs: int) -> None:
    rng, plan = random.Random(seed), straight_plan(stages)
    quick, general = StraightRoots(plan), GeneralRoots(1_000)
    roots = [root_of(3, position) for position in range(inputs)]
    first = [first_id(root, plan.sources[0]) for root in roots]
    for followed in (quick, general):
        followed.announce(roots, [first])
    reports = []
    for root, message_id in zip(roots, first, strict=True):
        ends_at, here = rng.choice([None, *range(stages)]), message_id
        for stage in plan.stages:
            reports.append((stage, root, here, 0 if ends_at == stage.index else 1))
            if ends_at == stage.index:
                break
            here = child_id(here, stage.index + 1)
    reports += rng.sample(reports, len(reports) // 2)
    rng.shuffle(reports)
    for stage, root, message_id, count in reports:
        news = [followed.finish(stage, root, message_id, count, None) for followed in (quick, general)]
        assert news[0] is news[1]
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
