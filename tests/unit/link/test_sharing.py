"""How senders share out their messages, without knowing of each other: figures of a simulation in virtual time."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from queueing import Events, Net, Server

SERVICE_S = 0.01


def shared(
    senders: int,
    replicas: int,
    share: float,
    *,
    slow: float = 1.0,
    calls: int = 1,
    near: Iterable[int] | None = None,
    bytes_each: int = 100,
    says_wait: bool = True,
    messages: int = 6_000,
) -> tuple[float, list[int]]:
    """The share of messages that meet a busy replica while another is idle, and how many each replica has done.

    Messages come one by one, at random moments, to so many senders, and are such a share of what replicas can do.
    Replica 0 may be slower than the others.
    """
    events, chance = Events(), random.Random(1)
    servers = [
        Server(events, SERVICE_S * (slow if number == 0 else 1.0), calls, random.Random(number), says_wait)
        for number in range(replicas)
    ]
    net = Net(events, servers, near=None if near is None else frozenset(near), bytes_each=bytes_each)
    rate = share * sum(server.calls / server.service_s for server in servers)

    def arrive(number: int) -> None:
        net.offer(ends[number])
        events.after(chance.expovariate(rate / senders), lambda: arrive(number))

    ends = [net.sender(number) for number in range(senders)]
    for number in range(senders):
        events.after(chance.expovariate(rate / senders), lambda number=number: arrive(number))  # type: ignore[misc]
    events.run(messages / rate)
    return net.misled / net.arrived, [server.done for server in servers]


@pytest.mark.parametrize(
    ("senders", "replicas", "most"),
    [(1, 2, 0.12), (1, 4, 0.19), (4, 2, 0.21), (4, 4, 0.29), (16, 4, 0.33), (16, 16, 0.33)],
)
def test_at_low_load_few_messages_meet_a_busy_replica_while_another_is_idle(
    senders: int, replicas: int, most: float
) -> None:
    """Of 30 % load. The first idle link would be wrong for 0.30, 0.51, 0.44, 0.69, 0.81 and 0.93 of the messages.

    Many senders know little of each other's messages, and do as well as at random, which is the load.
    """
    misled, done = shared(senders, replicas, 0.3)
    assert misled < most
    assert max(done) < 1.5 * min(done)


def test_what_a_replica_says_of_the_work_of_others_is_worth_its_bytes() -> None:
    assert shared(1, 4, 0.3)[0] < 0.7 * shared(1, 4, 0.3, says_wait=False)[0]
    assert shared(4, 4, 0.3)[0] < 0.92 * shared(4, 4, 0.3, says_wait=False)[0]


@pytest.mark.parametrize("senders", [1, 4])
@pytest.mark.parametrize("share", [0.9, 1.5])
def test_a_replica_that_is_ten_times_as_slow_gets_a_tenth(senders: int, share: float) -> None:
    _, (slow, *others) = shared(senders, 4, share, slow=10.0)
    assert 0.07 < slow / (sum(others) / len(others)) < 0.14


def test_at_low_load_a_slow_replica_gets_less_than_its_share_and_is_not_forgotten() -> None:
    _, (slow, *others) = shared(4, 4, 0.3, slow=10.0)
    assert 0.005 < slow / (sum(others) / len(others)) < 0.1


def test_replicas_that_run_many_calls_at_once_are_rarely_full_while_others_are_not() -> None:
    assert shared(4, 4, 0.3, calls=8)[0] < 0.02


def test_small_messages_go_to_another_host_rather_than_wait() -> None:
    """Replica 0 is on the host of all four senders: it gets a little more, and nobody waits more than without that."""
    misled, (here, *away) = shared(4, 4, 0.3, near={0})
    assert misled < 0.32
    assert 1.0 < here / (sum(away) / 3) < 2.0


def test_large_payloads_stay_on_their_host_while_it_is_not_busy() -> None:
    """Of 80 MB, which take 0.08 s to get to another host; the work takes 0.01 s. Small ones are spread."""
    _, (here, *away) = shared(1, 4, 0.03, near={0}, bytes_each=80_000_000)
    assert here > 50 * sum(away)
    _, (here, *away) = shared(1, 4, 0.03, near={0})
    assert here < 3 * sum(away)
    _, (here, *away) = shared(1, 4, 0.9, near={0}, bytes_each=80_000_000)
    assert min(away) > 0.2 * here
