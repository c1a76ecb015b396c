"""As many frames are on their way as keep a replica busy: two where the way is quick, more where it is slow."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from queueing import Events, Net, Server

from penguiray.graph.policies import FlowOptions
from penguiray.link.depth import FRAMES_AHEAD, frames_ahead
from penguiray.link.sender import Sender

SECONDS = st.floats(0.0, 10.0)


@given(round_trip_s=SECONDS, work_s=SECONDS)
def test_never_less_than_two_nor_without_end_and_what_is_there_covers_the_round_trip(
    round_trip_s: float, work_s: float
) -> None:
    ahead = frames_ahead(round_trip_s, work_s)
    assert FRAMES_AHEAD <= ahead <= 64
    assert ahead == 64 or round_trip_s <= 0.005 or (ahead - 1) * (work_s + 0.001) >= round_trip_s


@given(round_trip_s=st.floats(0.0, 0.005) | st.just(math.inf), work_s=SECONDS)
def test_on_a_quick_way_and_before_anything_was_measured_it_is_two(round_trip_s: float, work_s: float) -> None:
    assert frames_ahead(round_trip_s, work_s) == FRAMES_AHEAD


def busy(
    service_s: float,
    bytes_each: int,
    way_s: float,
    *,
    senders: int = 1,
    replicas: int = 1,
    options: FlowOptions | None = None,
    frame_s: float = 0.001,
    frame_bytes: int = 90_000,
    away: Callable[[float], float] = lambda _: 0.0,
    waiting: int = 3_000,
) -> tuple[float, int]:
    """The share of time for which replicas are busy whose senders always have more, and the most frames on a link."""
    events = Events()
    servers = [Server(events, service_s, frame_s=frame_s) for _ in range(replicas)]
    net = Net(events, servers, way_s=way_s, bytes_each=bytes_each, frame_bytes=frame_bytes, away=away)
    ends = [net.sender(number, options) for number in range(senders)]
    most, half_s = FRAMES_AHEAD, max(0.3, 16 * way_s, 10 * away(0.0))

    def refill() -> None:
        nonlocal most
        for end in ends if not away(events.now()) else ():
            net.offer(end, max(0, waiting - end.queued))
            most = max(most, *(len(link.unanswered) for link in end.main_lane(0).links))
        events.after(0.005, refill)

    refill()
    events.run(half_s)
    before = sum(server.busy_s for server in servers)
    events.run(2 * half_s)
    return (sum(server.busy_s for server in servers) - before) / half_s / replicas, most


KINDS = [(2e-5, 100), (2e-5, 1_000), (2e-5, 10_000), (1e-4, 100), (1e-4, 1_000), (1e-3, 10_000)]
"""Time for a message, and its bytes."""


@pytest.mark.parametrize(("service_s", "bytes_each"), KINDS)
@pytest.mark.parametrize("round_trip_s", [0.02, 0.05])
def test_a_slow_way_leaves_a_replica_busy(service_s: float, bytes_each: int, round_trip_s: float) -> None:
    """With two frames and 2,000 messages at most it was busy for 5 % of the time in the worst case."""
    share, _ = busy(service_s, bytes_each, round_trip_s / 2)
    assert share > 0.9


@pytest.mark.parametrize(("service_s", "bytes_each"), KINDS)
@pytest.mark.parametrize("round_trip_s", [0.0002, 0.002])
def test_on_a_quick_way_there_are_never_more_than_two_frames(
    service_s: float, bytes_each: int, round_trip_s: float
) -> None:
    _, most = busy(service_s, bytes_each, round_trip_s / 2)
    assert most == FRAMES_AHEAD


@pytest.mark.parametrize(("senders", "replicas"), [(4, 1), (1, 4), (3, 3)])
def test_several_senders_and_replicas_over_a_slow_way_are_as_busy(senders: int, replicas: int) -> None:
    share, most = busy(1e-4, 1_000, 0.025, senders=senders, replicas=replicas)
    assert share > 0.9
    assert most <= 8


@pytest.mark.parametrize("bytes_each", [10_000, 100_000, 1_000_000])
@pytest.mark.parametrize("round_trip_s", [0.02, 0.05])
def test_large_frames_which_go_by_the_store_are_not_held_up_on_a_slow_way(bytes_each: int, round_trip_s: float) -> None:
    """Each takes its receiver some milliseconds, whatever is in it: two of them were far too few."""
    share, _ = busy(2e-5, bytes_each, round_trip_s / 2, frame_s=0.004, frame_bytes=650_000)
    assert share > 0.9


@pytest.mark.parametrize(("service_s", "most_ahead"), [(5e-5, 8), (2e-4, 5), (2e-3, 5)])
@pytest.mark.parametrize("replicas", [1, 3])
def test_a_sender_that_is_away_now_and_then_leaves_its_replicas_busy(
    service_s: float, most_ahead: int, replicas: int
) -> None:
    """For 0.3 s of each second, as a program whose memory is looked through: with two frames they were idle for 0.2."""

    def away(now: float) -> float:
        rest_s = 0.3 - now % 1.0
        return rest_s if rest_s > 1e-6 else 0.0

    share, most = busy(service_s, 100, 0.0001, replicas=replicas, away=away, waiting=9_000 * replicas)
    assert share > 0.93
    assert FRAMES_AHEAD < most <= most_ahead


def test_a_queue_in_front_of_a_replica_is_no_slow_way() -> None:
    """Eight senders wait for each other, for 0.1 s and more, and the way is a quick one."""
    _, most = busy(1e-4, 100, 0.0005, senders=8)
    assert most == FRAMES_AHEAD


def test_who_says_how_many_messages_may_be_on_the_way_gets_no_more_on_a_slow_one() -> None:
    events = Events()
    net = Net(events, [Server(events, 1e-5, frame_s=0.001)], way_s=0.025)
    sender: Sender = net.sender(1, FlowOptions(link_messages=50))
    for _ in range(200):
        net.offer(sender, 100)
        assert sum(len(frame.ids) for frame in sender.main_lane(0).links[0].unanswered.values()) <= 50
        events.run(events.now() + 0.005)


def test_bytes_bound_what_is_on_a_slow_way_however_many_frames_may_be() -> None:
    events, limit = Events(), 500_000
    net = Net(events, [Server(events, 1e-5, frame_s=0.001)], way_s=0.025, bytes_each=10_000)
    sender = net.sender(1, FlowOptions(link_bytes=limit))
    net.offer(sender)  # so that the size of a message is known
    for _ in range(200):
        net.offer(sender, 100)
        on_the_way = sum(frame.body_bytes for frame in sender.main_lane(0).links[0].unanswered.values())
        assert on_the_way < limit + 100_000
        events.run(events.now() + 0.005)
