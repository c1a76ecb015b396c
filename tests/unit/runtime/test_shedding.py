"""Messages whose result would come after their deadline are not begun; workers of every kind spend no call on them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import penguiray as pr
from penguiray import testing
from penguiray.runtime.shedding import Shedding
from penguiray.testing import VirtualClock

CALL_S = 1.0


def known(typical_s: float = CALL_S, calls: int = 8) -> Shedding:
    shedding = Shedding("node")
    for _ in range(calls):
        shedding.note(typical_s)
    return shedding


def begins(shedding: Shedding, left_s: float, *, is_last: bool = False) -> bool:
    return shedding.refusal(10.0 + left_s, 10.0, takes_s=shedding.rest_s(), is_last=is_last) is None


def test_what_calls_take_is_known_after_some_of_them() -> None:
    assert known(calls=7).rest_s() == 0.0
    assert begins(known(calls=7), 0.1)
    assert known(calls=8).rest_s() == CALL_S
    assert not begins(known(calls=8), 0.1)


def test_it_is_the_median_of_the_newest() -> None:
    shedding = known(1.0, calls=32)
    for _ in range(15):
        shedding.note(60.0)
    assert shedding.typical_s == 1.0
    for _ in range(32):
        shedding.note(0.5)
    assert shedding.typical_s == 0.5


def test_a_message_with_enough_time_is_begun_and_one_with_less_is_not() -> None:
    assert begins(known(), CALL_S)
    assert not begins(known(), 0.99)
    refusal = known().refusal(10.5, 10.0, takes_s=1.0, is_last=False)
    assert refusal is not None
    assert (refusal.node, refusal.timeout_s) == ("node", None)
    assert "deadline is in 0.5 s, and to its end it takes 1 s" in str(refusal)


def test_the_last_one_that_waits_is_tried_unless_its_deadline_has_passed() -> None:
    assert begins(known(), 0.1, is_last=True)
    assert not begins(known(), 0.0, is_last=True)
    assert not begins(Shedding("node"), 0.0)


def test_one_without_a_deadline_is_always_begun() -> None:
    assert known().refusal(None, 10.0, takes_s=9.0, is_last=False) is None


def test_what_is_behind_counts_where_the_node_itself_is_known() -> None:
    shedding = known()
    shedding.behind_s = lambda: 0.5
    assert (shedding.rest_s(), shedding.rest_s(2)) == (1.5, 2.5)
    unknown = Shedding("node")
    unknown.behind_s = lambda: 0.5
    assert unknown.rest_s() == 0.0


# -- the workers


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    with testing.virtual_time(seed=1) as clock:
        yield clock


begun: list[int] = []


@pr.node(name="works", concurrency=1)
async def works(x: int) -> int:
    begun.append(x)
    await asyncio.sleep(CALL_S)
    return x


@pr.node(name="works")
def works_in_columns(x: int) -> int:
    begun.append(x)
    clock = testing.virtual.current_clock()
    assert clock is not None
    clock.sleep(CALL_S)
    return x


@pr.node(name="works")
def gives_several(x: int) -> Iterator[int]:
    yield works_in_columns(x)


@pr.node(name="works", concurrency=1, batch=pr.Batch(max_size=1))
async def works_in_batches(xs: list[int]) -> list[int]:
    return [await works(x) for x in xs]


WORKERS = [works, works_in_columns, gives_several, works_in_batches, works_in_batches.options(batch="auto")]


@pytest.mark.parametrize("node", WORKERS, ids=["tasks", "columns", "streams", "batches", "automatic"])
def test_no_call_is_spent_on_what_cannot_end_in_time(clock: VirtualClock, node: pr.Node[int, int]) -> None:
    async def main() -> None:
        async with pr.Flow(node).start() as run:
            for x in range(10):
                await run.aask(x, timeout_s=60.0)
            begun.clear()
            first = asyncio.create_task(run.aask(100))
            await asyncio.sleep(0.5)
            hopeless = asyncio.create_task(run.aask(200, timeout_s=1.4))
            await asyncio.sleep(0)
            low = {"priority": "low"}  # in a lane of their own, so that they have come when it is its turn
            others = [asyncio.create_task(run.aask(x, timeout_s=60.0, headers=low)) for x in (300, 400)]
            with pytest.raises(pr.DeadlineExceeded):
                await hopeless
            assert [await one for one in (first, *others)] == [100, 300, 400]
            assert sorted(begun) == [100, 300, 400]

    clock.run(main())


def test_an_idle_node_tries_what_seems_in_vain_and_learns_that_it_has_become_quicker(clock: VirtualClock) -> None:
    takes_s = 10.0

    @pr.node(concurrency=1)
    async def changes(x: int) -> int:
        await asyncio.sleep(takes_s)
        return x

    async def main() -> None:
        nonlocal takes_s
        async with pr.Flow(changes).start() as run:
            for x in range(40):
                with pytest.raises(pr.DeadlineExceeded):
                    await run.aask(x, timeout_s=1.0)
            takes_s = 0.1
            assert [await run.aask(x, timeout_s=1.0) for x in range(40)] == list(range(40))
            asks = [run.aask(x, timeout_s=1.0) for x in range(5)]
            assert await asyncio.gather(*asks) == list(range(5))

    clock.run(main())


def test_what_has_too_little_time_for_the_nodes_behind_is_not_begun_at_the_first(clock: VirtualClock) -> None:
    @pr.node(name="behind", concurrency=4)
    async def takes_long(x: int) -> int:
        await asyncio.sleep(5 * CALL_S)
        return x

    async def main() -> None:
        async with pr.Flow(works >> takes_long).start() as run:
            for x in range(10):
                await run.aask(x, timeout_s=60.0)
            begun.clear()
            asks = [run.aask(0), run.aask(1, timeout_s=5.5), run.aask(2), run.aask(3)]
            done = await asyncio.gather(*asks, return_exceptions=True)
            assert isinstance(done[1], pr.DeadlineExceeded)
            assert done[1].node == "works"
            assert 1 not in begun

    clock.run(main())
