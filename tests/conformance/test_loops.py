"""Declared ways back: which messages take them, and when an input has gone round often enough."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

import penguiray as pr


class Again(BaseModel):
    left: int


class Done(BaseModel):
    rounds: int


@pr.node
def enter(x: int) -> int:
    return x


@pr.node
def step(left: int, ctx: pr.Context) -> str | None:
    if left == 0:
        return "done"
    ctx.emit(left - 1, to=step)
    return None


@pr.node
def begin(x: int) -> Again:
    return Again(left=x)


@pr.node
def work(again: Again) -> Again | Done:
    return Again(left=again.left - 1) if again.left else Done(rounds=3)


@pr.node
def halve(x: int) -> Iterator[int]:
    yield x // 2
    yield x - x // 2


@pr.node
def sort(x: int, ctx: pr.Context) -> int | None:
    if x > 1:
        ctx.emit(x, to="halve")
    return 1 if x <= 1 else None


def looped(max_hops: int = 100, **options: Any) -> pr.Flow[int, str]:
    return pr.Flow(enter >> step, back=[pr.Back(step, step, max_hops=max_hops)], options=pr.FlowOptions(**options))


@pytest.mark.usefixtures("engine")
def test_a_node_sends_a_message_back_to_itself_until_it_gives_a_result() -> None:
    with looped().start() as run:
        assert [run.ask(x) for x in (0, 1, 50)] == ["done"] * 3
        assert {node.name: node.taken for node in run.status().nodes} == {"enter": 3, "step": 54}


@pytest.mark.usefixtures("engine")
def test_without_a_context_the_type_says_which_messages_go_back() -> None:
    flow = pr.Flow(begin >> work, back=[pr.Back(work, work)])
    assert flow.collect([0, 1, 5]) == [Done(rounds=3)] * 3


class Better(Again):
    """An `Again` that is good enough."""


@pr.node
def improve(again: Again) -> Again | Better:
    return Again(left=again.left - 1) if again.left else Better(left=0)


@pr.node
def publish(better: Better) -> str:
    return "out"


@pytest.mark.usefixtures("engine")
def test_a_subclass_that_the_node_gives_besides_goes_on_and_not_back() -> None:
    flow: pr.Flow[int, str] = pr.Flow(begin >> improve >> publish, back=[pr.Back(improve, improve)])  # type: ignore[operator]  # Again goes back
    assert flow.collect([0, 3]) == ["out", "out"]


@pytest.mark.usefixtures("engine")
def test_a_loop_of_several_nodes_may_multiply_messages() -> None:
    flow = pr.Flow(halve >> sort, back=[pr.Back(sort, halve)])
    with flow.start() as run:
        assert run.ask_all(37) == [1] * 37
        assert sum(run.collect([3, 5, 64])) == 72
        assert run.status().inputs_live == 0


@pytest.mark.usefixtures("engine")
def test_one_credit_and_one_message_a_frame_do_not_stop_a_loop() -> None:
    options = pr.FlowOptions(link_messages=1, frame_messages=1)
    flow = pr.Flow(halve >> sort, back=[pr.Back(sort, halve)], options=options)
    assert sum(flow.collect([40] * 8)) == 320


@pytest.mark.usefixtures("engine")
def test_a_message_that_goes_round_too_often_fails_and_names_node_input_and_limit() -> None:
    with looped(max_hops=5).start() as run:
        found = list(run.map([5, 6, 1], on_error="yield", ordered=True))
        assert [found[0], found[2]] == ["done", "done"]
        error = found[1]
        assert isinstance(error, pr.NodeError)
        assert error.node == "step"
        assert isinstance(error.__cause__, pr.BudgetExceeded)
        assert "input 1 of its call went back from 'step' to 'step' more than 5 times" in str(error)
        assert "raise max_hops of its pr.Back" in str(error)
        assert run.ask(3) == "done"


@pytest.mark.usefixtures("engine")
def test_an_input_that_turns_into_too_many_messages_fails_alone() -> None:
    @pr.node
    def many(x: int) -> Iterator[int]:
        yield from range(x)

    @pr.node
    def follow(x: int) -> int:
        return x

    flow = pr.Flow(many >> follow.options(fuse=False), options=pr.FlowOptions(max_live_messages=200))
    with flow.start() as run:
        found = list(run.map([100, 5_000, 7], on_error="yield"))
        errors = [result for result in found if isinstance(result, pr.NodeError)]
        assert [type(error.__cause__) for error in errors] == [pr.BudgetExceeded]
        assert "has turned into more than 200 messages or results" in str(errors[0])
        assert errors[0].node in {"many", "follow"}
        assert run.ask_all(3) == [0, 1, 2] or sorted(run.ask_all(3)) == [0, 1, 2]


@pytest.mark.usefixtures("engine")
def test_emit_to_one_of_several_next_nodes_reaches_that_one_only() -> None:
    @pr.node
    def left(x: int) -> str:
        return f"left {x}"

    @pr.node
    def right(x: int) -> str:
        return f"right {x}"

    @pr.node
    def choose(x: int, ctx: pr.Context) -> int | None:
        ctx.emit(x, to=left if x % 2 else "right")
        return x if x > 2 else None

    with pr.Flow(choose >> (left, right)).start() as run:
        assert run.ask_all(1) == ["left 1"]
        assert run.ask_all(2) == ["right 2"]
        assert sorted(run.ask_all(3)) == ["left 3", "left 3", "right 3"]


@pytest.mark.usefixtures("engine")
def test_emit_to_a_node_that_is_not_next_names_those_that_are() -> None:
    @pr.node
    def lost(x: int, ctx: pr.Context) -> int:
        ctx.emit(x, to=begin)
        return x

    wanted = r"ctx.emit\(to='begin'\): this node leads to 'enter'"
    with pr.Flow(lost >> enter).start() as run, pytest.raises(pr.NodeError, match=wanted):
        run.ask(1)


# -- what is refused when the flow is built


@pr.node
def same(x: int) -> int:
    return x


@pr.node
def untyped(x):  # type: ignore[no-untyped-def]  # what the test is about
    return x


def test_a_way_back_without_a_choice_is_refused_with_both_nodes_and_their_types() -> None:
    with pytest.raises(pr.FlowError) as caught:
        pr.Flow(enter >> same, back=[pr.Back(same, enter)])
    text = str(caught.value)
    assert "node 'same' (" in text
    assert "has a way back to 'enter', but every message would go back: it gives int" in text
    assert "-> Again | Done" in text
    assert "ctx.emit(value, to=...)" in text
    with pytest.raises(pr.FlowError, match="nothing says which messages go back: it gives Any"):
        pr.Flow(enter >> untyped, back=[pr.Back(untyped, enter)])


def test_a_way_back_to_a_node_that_does_not_lead_there_is_refused() -> None:
    with pytest.raises(pr.FlowError, match=r"pr.Back\(enter, step\) closes no loop, since nothing leads from 'step'"):
        pr.Flow(enter >> step, back=[pr.Back(enter, step)])
    with pytest.raises(pr.FlowError, match=r"names 'begin' \(.*:\d+\), which is no node of the flow"):
        pr.Flow(enter >> step, back=[pr.Back(step, begin)])


def test_a_way_back_round_a_fold_or_from_a_route_is_refused() -> None:
    everything: pr.Node[int, list[int]] = pr.fold(list, lambda total, x: [*total, x], name="sum")

    @pr.node
    def after(total: list[int], ctx: pr.Context) -> int:
        return len(total)

    with pytest.raises(pr.FlowError, match="leads round the fold 'sum'"):
        pr.Flow(enter >> everything >> after, back=[pr.Back(after, enter)])
    with pytest.raises(pr.FlowError, match="leads from one node to one node"):
        pr.Back(enter >> step, enter)
    with pytest.raises(pr.FlowError, match=r"pr.Back\(step, step\): max_hops must be a whole number from 1, not 0"):
        pr.Back(step, step, max_hops=0)


def test_an_edge_is_checked_with_the_types_that_take_it() -> None:
    @pr.node
    def publish(done: Done) -> str:
        return "out"

    @pr.node
    def wrong(done: int) -> str:
        return "out"

    pr.Flow(begin >> work >> publish, back=[pr.Back(work, work)])  # type: ignore[operator]  # Again goes back
    with pytest.raises(pr.FlowError, match=r"'work' \(.*\) gives Done, but 'wrong' \(.*\) takes int"):
        pr.Flow(begin >> work >> wrong, back=[pr.Back(work, work)])  # type: ignore[operator]  # the mistake


def test_a_single_way_back_and_a_context_before_the_message_are_told_how_to_be_written() -> None:
    with pytest.raises(pr.FlowError, match=r"is a single way back; write back=\[pr.Back\(step, step\)\]"):
        pr.Flow(enter >> step, back=pr.Back(step, step))  # type: ignore[arg-type]  # the mistake under test
    with pytest.raises(pr.FlowError, match=r"write the message first: \(x, ctx: pr.Context\)"):

        @pr.node  # type: ignore[arg-type]  # the mistake under test
        def turned(ctx: pr.Context, x: int) -> int:
            return x
