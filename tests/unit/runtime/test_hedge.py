"""What a straggler is, and how many second calls there may be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import penguiray as pr
from penguiray.runtime.hedge import _FLOOR_S, _LEAST, _NEWEST, _RESERVE, MOST_SHARE, Hedging, why_not_hedged


def seen(*seconds: float) -> Hedging:
    hedging = Hedging()
    for one in seconds:
        hedging.begin()
        hedging.end(one, is_straggler=False)
    return hedging


def spent(hedging: Hedging) -> int:
    """Second calls until no more may begin."""
    count = 0
    while hedging.may_hedge and count < 100:
        hedging.hedge()
        count += 1
    return count


def test_nobody_can_say_what_a_straggler_is_before_enough_calls_have_ended() -> None:
    assert seen(*[1.0] * (_LEAST - 1)).after_s is None
    assert seen(*[1.0] * _LEAST).after_s == 1.5


def test_a_straggler_takes_half_as_long_again_as_nine_in_ten_calls_and_never_less_than_the_floor() -> None:
    assert seen(*[1.0] * 95, *[20.0] * 5).after_s == 1.5
    assert seen(*[1.0] * 80, *[20.0] * 20).after_s == 30.0
    assert seen(*[0.001] * 100).after_s == _FLOOR_S


def test_what_calls_took_long_ago_does_not_count() -> None:
    hedging = seen(*[20.0] * 500, *[1.0] * _NEWEST)
    assert hedging.after_s == 1.5
    assert len(hedging._newest) == len(hedging._ordered) == _NEWEST


def test_there_are_a_few_second_calls_at_first_and_then_one_for_twenty_calls() -> None:
    hedging = Hedging()
    assert spent(hedging) == _RESERVE
    for _ in range(21):
        hedging.begin()
    assert spent(hedging) == 1
    for _ in range(100_000):
        hedging.begin()
    assert spent(hedging) == _RESERVE


def test_there_is_no_second_call_while_many_calls_are_slow() -> None:
    hedging = seen(*[1.0] * 50)
    for _ in range(4):
        hedging.straggle()
    still = hedging.may_hedge
    assert still
    hedging.straggle()
    hedging.end(20.0, is_straggler=True)
    assert spent(hedging) == 0
    for _ in range(10):
        hedging.end(1.0, is_straggler=False)
    assert spent(hedging) > 0


Event = tuple[str, float]
EVENTS = st.lists(
    st.tuples(st.sampled_from(["begin", "straggle", "hedge", "end", "straggler ends"]), st.floats(0.0, 1e6)),
    max_size=400,
)


@given(EVENTS)
def test_whatever_happens_second_calls_keep_within_their_share_and_times_are_those_of_the_newest(
    events: list[Event],
) -> None:
    hedging, begun, hedged, times = Hedging(), 0, 0, list[float]()
    for what, seconds in events:
        if what == "begin":
            hedging.begin()
            begun += 1
        elif what == "straggle":
            hedging.straggle()
        elif what == "hedge" and hedging.may_hedge:
            hedging.hedge()
            hedged += 1
        elif what.endswith(("end", "ends")):
            hedging.end(seconds, is_straggler=what != "end")
            times.append(seconds)
        assert hedged <= _RESERVE + MOST_SHARE * begun + 1e-9
        newest = sorted(times[-_NEWEST:])
        if len(times) < _LEAST:
            assert hedging.after_s is None
        else:
            assert hedging.after_s == max(_FLOOR_S, 1.5 * newest[int(0.9 * len(newest))])


@pr.node
async def awaits(x: int) -> int:
    return x


@pr.node
def plain(x: int) -> int:
    return x


@pr.node
async def generator(x: int) -> AsyncIterator[int]:
    yield x


@pr.node(batch=pr.Batch())
async def batched(xs: list[int]) -> list[int]:
    return xs


@pytest.mark.parametrize(
    ("node", "options", "why"),
    [
        (awaits, {}, "unless the node says idempotent=True"),
        (awaits, {"idempotent": False}, "the node says idempotent=False"),
        (awaits, {"idempotent": True, "delivery": "at_most_once"}, "worked on once"),
        (plain, {"idempotent": True, "concurrency": 4}, "changes nothing for sync code"),
        (generator, {"idempotent": True}, "changes nothing for a generator"),
        (batched, {"idempotent": True}, "changes nothing for batches"),
    ],
    ids=["unset", "False", "at most once", "sync", "generator", "batch"],
)
def test_where_there_are_no_second_calls_it_is_said_why(
    node: pr.Node[Any, Any], options: dict[str, Any], why: str
) -> None:
    assert why in (why_not_hedged(node.options(**options).spec) or "")
    (said,) = [one for one in pr.Flow(node.options(**options)).explain(cpus=1).statements if one.topic == "stragglers"]
    assert said.verdict == "no second call of a message whose first is slow"
    assert why in said.reason
    assert said.origin == ("set" if options else "default")


def test_where_there_are_second_calls_it_is_said_how_many_at_most() -> None:
    node = awaits.options(idempotent=True, retry=pr.Retry(), concurrency="auto", timeout_s=1)
    assert why_not_hedged(node.spec) is None
    (said,) = [one for one in pr.Flow(node).explain(cpus=1).statements if one.topic == "stragglers"]
    assert (said.origin, "at most 5% of its calls" in said.reason) == ("set", True)
