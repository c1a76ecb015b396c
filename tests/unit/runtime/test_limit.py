"""The limit against services in virtual time, of which is known how many calls they work on at the same time."""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from penguiray.runtime.limit import MOST_CALLS, GradientLimit
from penguiray.runtime.tally import Outcome


@dataclass(eq=False)
class OneCall:
    client: int
    begun: float
    begun_with: int
    is_over: bool = False


class Service:
    """Works on so many calls at a time, each for a random time of mean 1; others wait, or are refused.

    Each client has always more to call than its limit allows: no overload is higher.
    """

    def __init__(
        self,
        places: int,
        *,
        start: int = 32,
        clients: int = 1,
        spread: float = 0.2,
        refuses: bool = False,
        timeout_s: float = math.inf,
        seed: int = 1,
    ) -> None:
        self.places = places
        self.slowness = 1.0
        self.limits = [GradientLimit(start) for _ in range(clients)]
        self.now = 0.0
        self.ended: list[tuple[float, float, Outcome]] = []
        self.sizes: list[int] = []
        self._spread = spread
        self._refuses = refuses
        self._timeout_s = timeout_s
        self._rng = random.Random(seed)
        self._under_way = [0] * clients
        self._busy = 0
        self._waiting: deque[OneCall] = deque()
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._turn = 0

    def run(self, until: float) -> Service:
        while self.now < until:
            self._begin_all()
            self.now, _, happens = heapq.heappop(self._agenda)
            happens()
        return self

    @property
    def limit(self) -> float:
        return sum(limit.size for limit in self.limits)

    def _at(self, when: float, happens: Callable[[], None]) -> None:
        self._turn += 1
        heapq.heappush(self._agenda, (when, self._turn, happens))

    def _begin_all(self) -> None:
        for client, limit in enumerate(self.limits):
            while self._under_way[client] < limit.size:
                self._under_way[client] += 1
                self._begin(OneCall(client, self.now, self._under_way[client]))

    def _begin(self, call: OneCall) -> None:
        if self._busy < self.places:
            self._work_on(call)
        elif self._refuses:
            self._at(self.now + 0.01, lambda: self._tell(call, "failed"))
        else:
            self._waiting.append(call)
        if self._timeout_s < math.inf:
            self._at(self.now + self._timeout_s, lambda: self._tell(call, "late"))

    def _work_on(self, call: OneCall) -> None:
        self._busy += 1
        took = self._rng.expovariate(1) if self._spread == 1 else self._rng.uniform(1 - self._spread, 1 + self._spread)

        def done() -> None:
            self._busy -= 1
            while self._waiting and self._busy < self.places:
                following = self._waiting.popleft()
                if not following.is_over:
                    self._work_on(following)
            self._tell(call, "done")

        self._at(self.now + took * self.slowness, done)

    def _tell(self, call: OneCall, outcome: Outcome) -> None:
        if call.is_over:
            return
        call.is_over = True
        took, with_it = self.now - call.begun, max(call.begun_with, self._under_way[call.client])
        self.limits[call.client].on_end(took, with_it, outcome)
        self._under_way[call.client] -= 1
        self.ended.append((self.now, took, outcome))
        if not any(limit.is_probing for limit in self.limits):
            self.sizes.append(self.limits[0].size)

    def since(self, begin: float) -> list[float]:
        """Times of the calls that ended well since."""
        return sorted(took for at, took, outcome in self.ended if at >= begin and outcome == "done")


@pytest.mark.parametrize("spread", [0.0, 0.2])
@pytest.mark.parametrize("places", [20, 50, 300, 1_000])
def test_it_settles_at_what_the_service_works_on_at_the_same_time(places: int, spread: float) -> None:
    service = Service(places, spread=spread).run(100)
    service.sizes.clear()
    service.run(200)
    inside = [0.8 * places <= size <= 1.2 * places for size in service.sizes]
    assert sum(inside) / len(inside) > 0.9
    times = service.since(100)
    assert times[int(0.99 * len(times))] <= 2 * (1 + spread)
    assert len(times) >= 0.9 * places * 100


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("places", [20, 100])
def test_times_that_differ_much_leave_it_within_twice_that_number(places: int, seed: int) -> None:
    service = Service(places, spread=1, seed=seed).run(200)
    service.sizes.clear()
    service.run(400)
    service.sizes.sort()
    assert 0.5 * places <= service.sizes[len(service.sizes) // 2] <= 2 * places
    times = service.since(200)
    assert times[int(0.99 * len(times))] <= 2 * -math.log(0.01)
    assert len(times) >= 0.75 * places * 200


def test_it_grows_to_its_bound_where_calls_take_no_longer_for_it() -> None:
    service = Service(100_000).run(60)
    assert service.limit == MOST_CALLS


def test_a_service_that_has_become_slower_for_good_is_not_taken_for_a_full_one() -> None:
    service = Service(100).run(150)
    service.slowness, service.sizes = 5.0, []
    service.run(450)
    assert min(service.sizes) >= 10
    assert 80 <= service.limit <= 140


def test_it_follows_a_service_that_gets_more_places_and_loses_them_again() -> None:
    service = Service(20).run(150)
    service.places = 400
    assert 320 <= service.run(300).limit <= 480
    service.places = 20
    assert 16 <= service.run(500).limit <= 26


def test_it_gives_way_to_a_service_that_refuses_what_it_has_no_room_for() -> None:
    service = Service(100, refuses=True).run(100)
    service.ended.clear()
    service.run(300)
    outcomes = [outcome for _, _, outcome in service.ended]
    assert outcomes.count("failed") < 0.15 * len(outcomes)
    assert outcomes.count("done") > 0.75 * 100 * 200


def test_it_gives_way_until_calls_are_in_time_also_where_all_are_late_at_first() -> None:
    service = Service(3, timeout_s=2.5).run(300)
    service.ended.clear()
    service.run(600)
    outcomes = [outcome for _, _, outcome in service.ended]
    assert outcomes.count("late") < 0.3 * len(outcomes)
    assert service.limit <= 10


def test_two_clients_of_one_service_share_it() -> None:
    service = Service(300, clients=2).run(200)
    assert 240 <= service.limit <= 360


def test_a_call_that_is_late_among_many_changes_nothing_and_many_make_it_smaller() -> None:
    limit = GradientLimit(32)
    for number in range(96):
        limit.on_end(1.0, 32, "late" if number == 70 else "done")
    assert limit.size >= 32
    for _ in range(64):
        limit.on_end(10.0, limit.size, "late")
    assert limit.size < 32


def test_what_fails_as_often_with_few_under_way_does_not_make_it_smaller() -> None:
    rng, limit = random.Random(1), GradientLimit(32)
    for _ in range(20_000):
        limit.on_end(1.0, limit.size, "failed" if rng.random() < 0.3 else "done")
    assert limit.size > 1_000


def test_it_does_not_grow_while_less_than_half_of_it_is_in_use() -> None:
    limit = GradientLimit(32)
    for _ in range(10_000):
        limit.on_end(1.0, 15, "done")
    assert limit.size == 32


def test_it_never_falls_below_one_and_comes_back_from_there() -> None:
    limit = GradientLimit(32)
    for _ in range(2_000):
        limit.on_end(10.0, limit.size, "late")
        assert limit.size >= 1
    assert limit.size <= 2
    for _ in range(5_000):
        limit.on_end(1.0, limit.size, "done")
    assert limit.size > 32
