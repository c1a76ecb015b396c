"""`pr.join`: messages that belong together, by input or by key, come as one list."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import penguiray as pr


@pr.node
def enter(x: int) -> int:
    return x


@pr.node
def double(x: int) -> int:
    return 2 * x


@pr.node
def negate(x: int) -> int:
    return -x


@pr.node
def copies(x: int) -> Iterator[int]:
    yield from [x] * x


@pr.node
def total(xs: list[int]) -> int:
    return sum(xs)


@pr.node
def ordered(xs: list[int]) -> tuple[int, ...]:
    return tuple(sorted(xs))


def last_digit(x: int) -> int:
    return abs(x) % 10


@pytest.mark.usefixtures("engine")
def test_a_join_gives_the_results_of_both_branches_of_one_input_together() -> None:
    flow = pr.Flow(pr.fan(double, negate) >> pr.join(2) >> ordered)
    with flow.start() as run:
        assert run.ask(3) == (-3, 6)
        assert sorted(run.map(range(1, 200))) == sorted((-x, 2 * x) for x in range(1, 200))
        assert run.status().inputs_live == 0


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("frames", [1, 1_000])
def test_a_join_behind_a_fan_out_does_not_stop_with_one_credit(frames: int) -> None:
    options = pr.FlowOptions(link_messages=1, frame_messages=frames)
    flow = pr.Flow(enter >> (double, negate.options(replicas=2)) >> pr.join(2), options=options)
    assert sorted(map(sum, flow.collect(range(50), window=50))) == list(range(50))


@pytest.mark.usefixtures("engine")
def test_a_join_inside_a_branch_closes_before_the_one_behind_it() -> None:
    inner = copies >> pr.join(name="inner") >> total
    flow = pr.Flow(pr.fan(inner, negate) >> pr.join(2, name="outer") >> ordered)
    assert sorted(flow.collect([2, 3, 5])) == [(-5, 25), (-3, 9), (-2, 4)]


@pytest.mark.usefixtures("engine")
def test_a_join_by_key_gathers_over_the_inputs_of_a_map_with_a_window_of_one() -> None:
    flow = pr.Flow(enter >> pr.join(2, key=last_digit) >> ordered)
    inputs = [1, 2, 3, 11, 13, 12]
    with flow.start() as run:
        for window in (1, None):
            assert sorted(run.map(inputs, window=window)) == [(1, 11), (2, 12), (3, 13)]
        assert sorted(run.map(inputs, ordered=True, window=1)) == [(1, 11), (2, 12), (3, 13)]
        assert run.status().inputs_live == 0


@pytest.mark.usefixtures("engine")
def test_joins_by_key_one_behind_the_other_close_in_turn() -> None:
    first = pr.join(2, key=last_digit, incomplete="partial", name="first")
    second: pr.Node[int, list[int]] = pr.join(key=last_digit, name="second")
    flow = pr.Flow(enter >> first >> total >> second >> ordered)
    assert sorted(flow.collect([1, 11, 2, 3])) == [(2, 12), (3,)]


@pytest.mark.usefixtures("engine")
def test_a_join_inside_a_loop_gathers_each_round() -> None:
    @pr.node
    def again(xs: list[int], ctx: pr.Context) -> int | None:
        if sum(xs) < 100:
            ctx.emit(sum(xs), to=enter)
            return None
        return sum(xs)

    flow = pr.Flow(enter >> (double, double.options(name="twice")) >> pr.join(2) >> again, back=[pr.Back(again, enter)])
    assert sorted(flow.collect([1, 2, 100])) == [128, 256, 400]


def test_a_join_that_cannot_be_is_refused_where_it_is_written() -> None:
    with pytest.raises(pr.FlowError, match="count must be a whole number from 1, not 0"):
        pr.join(0)
    with pytest.raises(pr.FlowError, match="count must be a whole number from 1, not '2'"):
        pr.join("2")  # type: ignore[call-overload]  # the mistake under test
    with pytest.raises(pr.FlowError, match="timeout_s must be above 0"):
        pr.join(2, timeout_s=0)
    with pytest.raises(pr.FlowError, match="use 'fail' or 'partial'"):
        pr.join(2, incomplete="maybe")  # type: ignore[call-overload]  # the mistake under test
    with pytest.raises(pr.FlowError, match="lives in one replica, so replicas=2 cannot be"):
        pr.join(2).options(replicas=2)
    assert pr.join(2).spec.where.startswith("test_joins:")
