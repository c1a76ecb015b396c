"""`ctx.emit(key=)`: messages of one key go to one replica, one at a time and in order."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict

import pytest

import penguiray as pr

MESSAGES, KEYS = 60, 4


@pr.node(replicas=1)
def by_key(count: int, ctx: pr.Context) -> int | None:
    for number in range(count):
        ctx.emit(number, key=("group", number % KEYS))
    return None


class Overlapping:
    """Works on many at once, the earlier ones for longer; tells its replica, and what it worked on meanwhile."""

    def __init__(self) -> None:
        self.under_way: dict[int, int] = defaultdict(int)
        self.ended: dict[int, int] = defaultdict(int)

    async def __call__(self, number: int) -> tuple[int, int, int, int]:
        key = number % KEYS
        self.under_way[key] += 1
        most = self.under_way[key]
        await asyncio.sleep(0.02 / (1 + number))
        self.under_way[key] -= 1
        self.ended[key] += 1
        return number, most, self.ended[key], os.getpid()


overlapping = pr.actor(replicas=2, concurrency=16)(Overlapping)


@pytest.mark.usefixtures("engine")
def test_messages_of_a_key_go_to_one_replica_one_at_a_time_in_the_order_in_which_they_were_given() -> None:
    with pr.Flow(by_key >> overlapping()).start() as run:
        seen = run.ask_all(MESSAGES)
    assert len(seen) == MESSAGES
    for key in range(KEYS):
        of_key = sorted(one for one in seen if one[0] % KEYS == key)
        assert {most for _, most, _, _ in of_key} == {1}
        assert [place for _, _, place, _ in of_key] == list(range(1, len(of_key) + 1))
        assert len({process for _, _, _, process in of_key}) == 1


class FailsAtFirst:
    """Fails on every third number until its last attempt."""

    def __init__(self) -> None:
        self.ended: dict[int, int] = defaultdict(int)

    def __call__(self, number: int, ctx: pr.Context) -> tuple[int, int]:
        if number % 3 == 0 and ctx.attempt < 3:
            raise ConnectionError(number)
        self.ended[number % KEYS] += 1
        return number, self.ended[number % KEYS]


fails_at_first = pr.actor(retry=pr.Retry(max_attempts=3, initial_s=0.01))(FailsAtFirst)


@pytest.mark.usefixtures("engine")
def test_a_retry_holds_its_key() -> None:
    with pr.Flow(by_key >> fails_at_first()).start() as run:
        seen = run.ask_all(MESSAGES)
    for key in range(KEYS):
        assert [place for number, place in sorted(seen) if number % KEYS == key] == list(range(1, MESSAGES // KEYS + 1))


@pr.node
def with_this_key(key: object, ctx: pr.Context) -> int | None:
    ctx.emit(1, key=key)  # type: ignore[arg-type]
    return None


@pr.node
def take(x: int) -> int:
    return x


@pytest.mark.usefixtures("engine")
def test_what_cannot_be_a_key_is_refused_and_says_what_can() -> None:
    with pr.Flow(with_this_key >> take).start() as run:
        assert run.ask((b"bytes", ("nested", True))) == 1
        with pytest.raises(
            pr.NodeError, match="a key is a text, bytes, a whole number, or a tuple of these, not a float"
        ):
            run.ask(("part", 0.5))


@pr.node(replicas=1)
def all_one_key(x: int, ctx: pr.Context) -> int | None:
    ctx.emit(x, key="only" if x < 3 else "other")
    return None


@pr.node(concurrency=4)
async def waits_for_ever_on_zero(x: int) -> int:
    if x == 0:
        await asyncio.Event().wait()
    return x


@pytest.mark.usefixtures("engine")
def test_an_input_that_is_cancelled_frees_its_key_also_while_others_wait_for_it() -> None:
    with pr.Flow(all_one_key >> waits_for_ever_on_zero).start() as run:
        stuck, behind, after = run.send(0), run.send(1), run.send(2)
        assert len({stuck, behind, after}) == 3
        assert run.ask(9) == 9  # so the first of them is worked on by now
        run.cancel(behind)
        run.cancel(stuck)
        assert list(run.results(until_idle=True, on_error="skip")) == [2]
