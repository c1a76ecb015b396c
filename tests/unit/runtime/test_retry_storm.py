"""A node that is ill for ten minutes and asks for retries: its calls stay within its budget, and all inputs end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import penguiray as pr
from penguiray.testing import Pause, VirtualClock, script

ILL_S = 600.0
EACH_S = 0.9
INPUTS = 1_000
"""One every `EACH_S`, so the last third comes when the node is well again."""
RETRY = pr.Retry(max_attempts=6, initial_s=1.0, max_s=60.0, budget_ratio=0.2, budget_reserve=50)


class Ill:
    """Counts its calls, and fails until it is well."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.calls = list[float]()

    def call(self) -> None:
        self.calls.append(self.clock.now())
        if self.clock.now() < ILL_S:
            raise ConnectionError("ill")


def plain(ill: Ill) -> Any:
    def plain(x: int) -> int:
        ill.call()
        return x

    return pr.node(retry=RETRY)(plain)


def awaits(ill: Ill) -> Any:
    async def awaits(x: int) -> int:
        await asyncio.sleep(1.0)
        ill.call()
        return x

    return pr.node(retry=RETRY, concurrency=20)(awaits)


def batched(ill: Ill) -> Any:
    def batched(xs: list[int]) -> list[int]:
        ill.call()
        return xs

    return pr.node(retry=RETRY, batch=pr.Batch(max_size=8, max_wait_s=2.0))(batched)


@pytest.mark.parametrize("made", [plain, awaits, batched])
def test_calls_of_a_node_that_is_ill_stay_within_its_budget_of_retries_and_it_goes_on_when_it_is_well(
    made: Callable[[Ill], Any], virtual_clock: VirtualClock
) -> None:
    ill = Ill(virtual_clock)
    inputs = script(*(one for x in range(INPUTS) for one in (x, Pause(EACH_S))))
    with pr.Flow(made(ill)).start() as run:
        found = list(run.map(inputs, on_error="yield"))
        status = run.status()
    errors = {error.index for error in found if isinstance(error, pr.NodeError)}
    results = [result for result in found if isinstance(result, int)]
    assert sorted([*errors, *results]) == list(range(INPUTS)), "each input has one outcome"
    assert all(isinstance(e.__cause__, ConnectionError) for e in found if isinstance(e, pr.NodeError))
    assert not {x for x in errors if x * EACH_S > ILL_S}
    assert len(ill.calls) <= INPUTS * (1 + RETRY.budget_ratio) + RETRY.budget_reserve
    firsts = len(ill.calls) - status.nodes[0].retried
    assert status.nodes[0].retried <= firsts * RETRY.budget_ratio + RETRY.budget_reserve
    assert len(errors) > INPUTS / 2, "it was ill"


@pytest.mark.parametrize("made", [plain, awaits, batched])
def test_every_first_attempt_earns_its_share_of_a_retry(
    made: Callable[[Ill], Any], virtual_clock: VirtualClock
) -> None:
    ill = Ill(virtual_clock)
    retry = pr.Retry(max_attempts=2, initial_s=0.0, budget_ratio=1.0, budget_reserve=1)
    with pr.Flow(made(ill).options(retry=retry)).start() as run:
        for x in range(10):
            with pytest.raises(pr.NodeError):
                run.ask(x)
    assert len(ill.calls) == 20
