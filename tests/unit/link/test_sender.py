"""The flush rule: quick while idle, full frames under load, never more than the credit."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from penguiray.clock import Clock
from penguiray.graph.policies import FlowOptions
from penguiray.graph.values import key_hash
from penguiray.link.depth import FRAMES_AHEAD
from penguiray.link.frame import Feedback, Frame, Kind, LinkId
from penguiray.link.key_groups import group_of, replica_of
from penguiray.link.message import Facts, Messages
from penguiray.link.sender import Sender
from penguiray.link.transport import FrameTooLarge

KEYS = (key_hash("a"), key_hash("c"))
"""Hashes of two keys that get different ones of three replicas."""


class Still(Clock):
    """Time that stands still."""

    def now(self) -> float:
        return 0.0


class Recording:
    """A transport that keeps frames, each of so many bytes a message, and refuses larger ones."""

    def __init__(self, bytes_each: int = 0, most: int = 10**12) -> None:
        self.bytes_each = bytes_each
        self.most = most
        self.frames: list[Frame] = []

    def send(self, frame: Frame) -> int:
        if len(frame.messages) > 1 and len(frame.messages) * self.bytes_each > self.most:
            raise FrameTooLarge
        self.frames.append(frame)
        return self.bytes_each * len(frame.messages)

    def frame_bytes(self, stage: int, full_bytes: float) -> float:
        return 90_000

    def is_near(self, link: LinkId) -> bool:
        return link.replica == 0

    @property
    def sizes(self) -> list[int]:
        return [len(frame.messages) for frame in self.frames]


def made(
    wire: Recording, *, replicas: int = 1, link_messages: int = 1_000, link_bytes: int = 10**9, frame_messages: int = 10
) -> Sender:
    options = FlowOptions(link_messages=link_messages, link_bytes=link_bytes, frame_messages=frame_messages)
    sender = Sender(wire, options, epoch=7, clock=Still(), rng=random.Random(1))
    sender.connect(0, replicas)
    return sender


def offer(sender: Sender, *numbers: int) -> None:
    for number in numbers:
        sender.offer(0, 1, number, number, None)


def answer(sender: Sender, frame: Frame, service_s: float = 0.0) -> None:
    sender.take_credit(frame.link, Feedback(frame.sequence, service_s))
    sender.flush()


def test_what_waits_for_a_way_back_is_not_counted_and_so_holds_up_nobody() -> None:
    wire = Recording()
    sender = made(wire)
    sender.connect(1, 1, is_back=True)
    offer(sender, 0, 1)
    for number in (2, 3, 4):
        sender.offer(1, 1, number, number, None)
    assert (sender.queued, sender.has_waiting) == (2, True)
    sender.flush()
    assert [(frame.kind, len(frame.messages)) for frame in wire.frames] == [(Kind.DATA, 2), (Kind.BACK, 3)]
    assert (sender.queued, sender.has_waiting) == (0, False)


def test_an_idle_link_sends_at_once_and_a_busy_one_gathers() -> None:
    wire = Recording()
    sender = made(wire)
    offer(sender, 0)
    sender.flush()
    assert wire.sizes == [1]
    offer(sender, 1, 2, 3)
    sender.flush()
    assert wire.sizes == [1]
    answer(sender, wire.frames[0])
    assert wire.sizes == [1, 3]
    assert sender.queued == 0


def test_a_busy_link_sends_a_full_frame_ahead_and_no_more_than_that() -> None:
    wire = Recording()
    sender = made(wire)
    offer(sender, *range(100))
    sender.flush()
    assert wire.sizes == [10] * FRAMES_AHEAD
    answer(sender, wire.frames[0])
    assert wire.sizes == [10] * (FRAMES_AHEAD + 1)


def test_idle_replicas_share_what_waits() -> None:
    wire = Recording()
    sender = made(wire, replicas=4)
    offer(sender, *range(10))
    sender.flush()
    assert wire.sizes == [3, 3, 2, 2]
    assert {frame.link.replica for frame in wire.frames} == {0, 1, 2, 3}


def test_a_slow_replica_does_not_sit_on_what_its_neighbour_could_do() -> None:
    wire = Recording()
    sender = made(wire, replicas=2)
    offer(sender, *range(60))
    sender.flush()
    while on_the_way := pending(sender, wire, LinkId(0, 1)):
        answer(sender, on_the_way[0])
    by_slow = sum(len(frame.messages) for frame in wire.frames if frame.link.replica == 0)
    assert sum(wire.sizes) == 60
    assert by_slow <= FRAMES_AHEAD * 10


def test_a_full_frame_goes_to_the_replica_with_the_least_on_its_way() -> None:
    wire = Recording()
    sender = made(wire, replicas=2)
    for numbers in (range(2), range(2, 12), range(12, 22)):
        offer(sender, *numbers)
        sender.flush()
    assert [(frame.link.replica, len(frame.messages)) for frame in wire.frames] == [(0, 1), (1, 1), (0, 10), (1, 10)]


def pending(sender: Sender, wire: Recording, link: LinkId) -> list[Frame]:
    known = sender._stages[link.stage].main.links[link.replica].unanswered
    return [frame for frame in wire.frames if frame.link == link and frame.sequence in known]


def test_bytes_bound_a_frame_once_their_size_is_known() -> None:
    wire = Recording(bytes_each=30_000)
    sender = made(wire, frame_messages=1_000)
    offer(sender, 0)
    sender.flush()
    assert sender.mean_bytes(0) == 30_000
    offer(sender, *range(1, 20))
    sender.flush()
    assert wire.sizes == [1, 3]


class Generous(Recording):
    """Lets frames grow where a full one would have much."""

    def frame_bytes(self, stage: int, full_bytes: float) -> float:
        return 90_000 if full_bytes < 400_000 else 650_000


def test_how_large_a_frame_may_grow_follows_the_bytes_that_a_full_one_would_have() -> None:
    for frame_messages, size in ((30, 9), (39, 9), (40, 40), (100, 65)):
        wire = Generous(bytes_each=10_000)
        sender = made(wire, frame_messages=frame_messages)
        offer(sender, 0)
        sender.flush()
        offer(sender, *range(1, 200))
        sender.flush()
        assert wire.sizes == [1, size]


def test_a_frame_that_is_too_large_goes_in_parts_and_nothing_of_it_is_lost() -> None:
    wire = Recording(bytes_each=50_000_000, most=100_000_000)
    sender = made(wire, link_bytes=100_000_000)
    facts = Facts(headers={"kept": "yes"})
    for number in range(9):
        sender.offer(0, number, number, number, facts)
    sender.flush()
    assert wire.sizes == [2]
    assert sender.queued == 7
    assert sender.queued_bytes == 7 * 50_000_000
    for frame in wire.frames:  # grows while it is read
        answer(sender, frame)
    assert [value for frame in wire.frames for value in frame.messages.values] == list(range(9))
    assert [frame.sequence for frame in wire.frames] == list(range(len(wire.frames)))
    assert all(frame.messages.facts[root] is facts for frame in wire.frames for root in frame.messages.roots)
    assert (sender.queued, sender.queued_bytes) == (0, 0)


def test_a_slow_stage_gets_small_frames() -> None:
    wire = Recording()
    sender = made(wire, frame_messages=1_000)
    offer(sender, 0)
    sender.flush()
    offer(sender, *range(1, 50))
    answer(sender, wire.frames[0], service_s=0.05)
    assert wire.sizes == [1, 2, 2]


def test_credit_in_messages_and_in_bytes_holds_back_but_one_message_always_passes() -> None:
    wire = Recording(bytes_each=50)
    sender = made(wire, link_messages=3, frame_messages=2)
    offer(sender, *range(10))
    sender.flush()
    assert wire.sizes == [2, 1]
    large = Recording(bytes_each=1_000_000)
    sender = made(large, link_bytes=10)
    offer(sender, 0)
    sender.flush()
    offer(sender, *range(1, 30))
    sender.flush()
    assert large.sizes == [1]
    answer(sender, large.frames[0])
    assert large.sizes == [1, 1]


def test_control_words_go_to_every_replica_behind_the_data_and_cost_no_messages() -> None:
    wire = Recording()
    sender = made(wire, replicas=2)
    offer(sender, 0)
    sender.flush()
    sender.control(Kind.END, 0, call=5)
    assert [(frame.link.replica, frame.sequence, frame.kind, frame.call) for frame in wire.frames] == [
        (0, 0, Kind.DATA, 0), (0, 1, Kind.END, 5), (1, 0, Kind.END, 5)
    ]  # fmt: skip
    assert {frame.epoch for frame in wire.frames} == {7}
    for frame in wire.frames:
        answer(sender, frame)
    offer(sender, 1)
    sender.flush()
    assert wire.sizes == [1, 0, 0, 1]


def test_facts_go_with_the_frames_whose_messages_they_belong_to() -> None:
    wire = Recording()
    sender = made(wire, frame_messages=1)
    said = {root: Facts(str(root)) for root in (1, 3)}
    sender.offer_all(0, Messages([1, 2, 3], [10, 20, 30], ["a", "b", "c"], said))
    sender.offer(0, 1, 11, "d", said[1])
    sender.flush()
    while wire.frames[-1].messages.ids != [11]:
        answer(sender, wire.frames[len(wire.frames) - FRAMES_AHEAD])
    assert [dict(frame.messages.facts) for frame in wire.frames] == [
        {1: said[1]}, {}, {3: said[3]}, {1: said[1]}
    ]  # fmt: skip


@given(
    seed=st.integers(0, 2**32),
    replicas=st.integers(1, 3),
    link_messages=st.integers(1, 12),
    frame_messages=st.integers(1, 8),
)
def test_every_message_is_sent_once_in_order_within_credit_and_frames_ahead(
    seed: int, replicas: int, link_messages: int, frame_messages: int
) -> None:
    rng = random.Random(seed)
    wire = Recording(bytes_each=rng.choice([0, 10]))
    sender = made(
        wire, replicas=replicas, link_messages=link_messages, link_bytes=rng.choice([1, 50, 10**6]),
        frame_messages=frame_messages,
    )  # fmt: skip
    links, offered = [LinkId(0, number) for number in range(replicas)], 0
    for _ in range(60):
        if rng.random() < 0.6:
            count = rng.randint(1, 6)
            offer(sender, *range(offered, offered + count))
            offered += count
            sender.flush()
        elif on_the_way := pending(sender, wire, rng.choice(links)):
            answer(sender, on_the_way[0])
        for link in links:
            on_the_way = pending(sender, wire, link)
            assert len(on_the_way) <= FRAMES_AHEAD
            assert sum(len(frame.messages) for frame in on_the_way) <= link_messages
    while on_the_way := [frame for link in links for frame in pending(sender, wire, link)]:
        answer(sender, on_the_way[0])
    assert [number for frame in wire.frames for number in frame.messages.ids] == list(range(offered))
    assert all(1 <= size <= frame_messages for size in wire.sizes)
    for link in links:
        sequences = [frame.sequence for frame in wire.frames if frame.link == link]
        assert sequences == list(range(len(sequences)))


def offer_as(sender: Sender, priority: str, *numbers: int) -> None:
    for number in numbers:
        sender.offer(0, number, number, number, Facts(headers={"priority": priority}))


def test_each_priority_has_credit_of_its_own_and_the_urgent_are_sent_first() -> None:
    wire = Recording()
    sender = made(wire, link_messages=3)
    offer_as(sender, "low", 0, 1)
    offer_as(sender, "normal", 2, 3, 4, 5)
    sender.flush()
    offer_as(sender, "high", 6)
    sender.offer_all(0, Messages([7, 8], [7, 8], [7, 8], {7: Facts(headers={"priority": "high"})}))
    sender.flush()
    assert [(frame.kind, frame.messages.ids) for frame in wire.frames] == [
        (Kind.DATA, [2, 3, 4]), (Kind.LOW, [0, 1]), (Kind.HIGH, [6, 7]),
    ]  # fmt: skip
    assert [frame.sequence for frame in wire.frames] == [0, 1, 2]
    assert sender.queued == 2
    sender.drop({8})
    for frame in list(wire.frames):
        answer(sender, frame)
    assert wire.frames[-1].messages.ids == [5]
    assert (sender.queued, sender.has_waiting) == (0, False)


def test_what_is_urgent_does_not_wait_for_a_full_frame() -> None:
    wire = Recording()
    sender = made(wire)
    offer(sender, 0)
    offer_as(sender, "high", 1)
    sender.flush(full_only=True)
    assert [(frame.kind, frame.messages.ids) for frame in wire.frames] == [(Kind.HIGH, [1])]


def test_messages_of_a_key_go_to_one_replica_in_order_and_others_round_them() -> None:
    wire = Recording()
    sender = made(wire, replicas=3)
    for number in range(60):
        sender.offer(0, 1, number, number, None, None, KEYS[number % 2] if number < 40 else None)
    sender.flush()
    while waits := [frame for replica in range(3) for frame in pending(sender, wire, LinkId(0, replica))]:
        answer(sender, waits[-1])
    got = [(frame.link.replica, number) for frame in wire.frames for number in frame.messages.ids]
    for key in (0, 1):
        of_key = [(replica, number) for replica, number in got if number < 40 and number % 2 == key]
        assert of_key == [(replica_of(group_of(KEYS[key]), 3), number) for number in range(key, 40, 2)]
    assert {replica for replica, number in got if number >= 40} == {0, 1, 2}
    assert sorted(number for _, number in got) == list(range(60))


def test_messages_with_a_key_are_within_the_credit_of_their_link_and_can_be_dropped() -> None:
    wire = Recording()
    sender = made(wire, replicas=2, link_messages=4)
    for number in range(12):
        sender.offer(0, number, number, number, None, None, KEYS[0])
    sender.flush()
    mine = replica_of(group_of(KEYS[0]), 2)
    assert [(frame.link.replica, frame.messages.ids) for frame in wire.frames] == [(mine, [0, 1, 2, 3])]
    assert (sender.queued, sender.has_waiting) == (8, True)
    sender.drop(set(range(4, 11)))
    answer(sender, wire.frames[0])
    assert [frame.messages.keys for frame in wire.frames] == [dict.fromkeys(range(4), KEYS[0]), {11: KEYS[0]}]
    assert (sender.queued, sender.has_waiting) == (0, False)


def test_a_lost_replica_gets_nothing_its_neighbours_get_all_and_what_was_on_its_way_is_forgotten() -> None:
    wire = Recording()
    sender = made(wire, replicas=2)
    offer(sender, *range(4))
    sender.flush()
    lost, other = wire.frames
    assert sorted(sender.queued_ids()) == [0, 1, 2, 3]
    sender.set_down(lost.link, is_down=True)
    assert sorted(sender.queued_ids()) == other.messages.ids
    answer(sender, lost)
    answer(sender, other)
    offer(sender, *range(4, 8))
    sender.flush()
    assert sender.queued == 0, "the other one is idle"
    sender.control(Kind.END, 0, call=1)
    assert {frame.link for frame in wire.frames[2:]} == {other.link}
    sender.set_down(lost.link, is_down=False)
    offer(sender, *range(8, 30))
    sender.flush()
    assert lost.link in {frame.link for frame in wire.frames[4:]}


def test_full_frames_go_ahead_to_a_busy_replica_whose_neighbour_is_lost() -> None:
    for lost in (0, 1):
        wire = Recording()
        sender = made(wire, replicas=2)
        sender.set_down(LinkId(0, lost), is_down=True)
        offer(sender, *range(30))
        sender.flush()
        assert [(frame.link.replica, len(frame.messages)) for frame in wire.frames] == [(1 - lost, 10)] * FRAMES_AHEAD


def test_where_every_replica_is_lost_messages_wait_also_those_with_a_key_and_those_with_a_priority() -> None:
    wire = Recording()
    sender = made(wire)
    sender.set_down(LinkId(0, 0), is_down=True)
    offer(sender, 0)
    offer_as(sender, "high", 1)
    sender.offer(0, 2, 2, 2, None, None, 7)
    sender.flush()
    assert (wire.frames, sender.queued, sorted(sender.queued_ids())) == ([], 3, [0, 1, 2])
    sender.set_down(LinkId(0, 0), is_down=False)
    sender.flush()
    while sender.queued:
        answer(sender, wire.frames[-1])
    assert sorted(number for frame in wire.frames for number in frame.messages.ids) == [0, 1, 2]


def test_many_messages_about_which_nothing_is_said_are_sent_in_their_order() -> None:
    wire = Recording()
    sender = made(wire)
    sender.offer_all(0, Messages([1, 1, 2], [10, 11, 12], ["a", "b", "c"]))
    assert sender.queued == 3
    sender.flush()
    (frame,) = wire.frames
    assert (frame.messages.roots, frame.messages.ids, frame.messages.values) == (
        [1, 1, 2],
        [10, 11, 12],
        ["a", "b", "c"],
    )
    assert frame.messages.source == -1, "the caller sends where nothing else is said"


def test_a_frame_says_which_stage_sent_it() -> None:
    wire = Recording()
    sender = made(wire)
    sender._source = 3
    offer(sender, 0)
    sender.flush()
    assert [frame.messages.source for frame in wire.frames] == [3]


def test_urgent_messages_among_others_are_told_apart_whichever_comes_first() -> None:
    urgent, usual = Facts(headers={"priority": "high"}), Facts("trace")
    for said in ({1: urgent, 2: usual}, {2: usual, 1: urgent}):
        wire = Recording()
        sender = made(wire)
        sender.offer_all(0, Messages([1, 2, 3], [1, 2, 3], [1, 2, 3], said))
        sender.flush()
        assert [(frame.kind, frame.messages.ids) for frame in wire.frames] == [(Kind.HIGH, [1]), (Kind.DATA, [2, 3])]


def test_a_way_back_has_one_lane_however_urgent_a_message_is() -> None:
    wire = Recording()
    sender = made(wire)
    sender.connect(1, 1, is_back=True)
    sender.offer(1, 1, 1, 1, Facts(headers={"priority": "high"}))
    sender.flush()
    assert [frame.kind for frame in wire.frames] == [Kind.BACK]


def test_what_waits_for_a_way_back_has_no_weight_and_can_be_dropped() -> None:
    wire = Recording(bytes_each=10)
    sender = made(wire)
    sender.connect(1, 1, is_back=True)
    for number in range(3):
        sender.offer(1, number, number, number, None)
        sender.flush()
    assert (sender.queued, sender.queued_bytes, sender.has_waiting) == (0, 0, True)
    sender.drop({1, 2})
    assert (sender.queued, sender.has_waiting) == (0, False)


def test_a_control_word_may_bring_a_message() -> None:
    wire = Recording()
    sender = made(wire, replicas=2)
    sender.control(Kind.END, 0, call=5, messages=Messages([1], [10], [None]))
    sender.control(Kind.FORGET, 0, call=6)
    assert [(frame.kind, frame.call, frame.messages.ids) for frame in wire.frames] == [
        (Kind.END, 5, [10]), (Kind.END, 5, [10]), (Kind.FORGET, 6, []), (Kind.FORGET, 6, []),
    ]  # fmt: skip


def test_a_busy_replica_gets_only_full_frames_while_more_will_come() -> None:
    wire = Recording()
    sender = made(wire)
    offer(sender, *range(9))
    sender.flush(full_only=True)
    assert wire.sizes == []
    offer(sender, 9)
    sender.flush(full_only=True)
    assert wire.sizes == [10]
    offer(sender, 10)
    sender.flush(full_only=True)
    assert wire.sizes == [10]


def test_messages_of_a_key_are_not_shared_out_and_gather_while_their_replica_is_busy() -> None:
    wire = Recording()
    sender = made(wire, replicas=3)
    for number in range(4):
        sender.offer(0, 1, number, number, None, None, 7)
    sender.flush()
    assert wire.sizes == [4]
    for number in range(4, 13):
        sender.offer(0, 1, number, number, None, None, 7)
        sender.flush()
    assert wire.sizes == [4]
    sender.offer(0, 1, 13, 13, None, None, 7)
    sender.flush()
    assert wire.sizes == [4, 10], "a full frame goes ahead"
    assert len({frame.link for frame in wire.frames}) == 1


def test_the_mean_size_of_messages_follows_their_sizes_slowly_and_the_largest_stage_counts() -> None:
    wire = Recording(bytes_each=40)
    sender = made(wire)
    assert (sender.mean_bytes(0), sender.most_bytes_each) == (0.0, 0.0)
    offer(sender, 0, 1)
    sender.flush()
    assert sender.mean_bytes(0) == 40
    wire.bytes_each = 80
    offer(sender, 2)
    answer(sender, wire.frames[0])
    assert sender.mean_bytes(0) == 50, "a quarter of the way"
    sender.connect(1, 1)
    assert (sender.mean_bytes(1), sender.most_bytes_each) == (0.0, 50)
    wire.bytes_each = 10
    sender.offer(1, 1, 1, 1, None)
    sender.flush()
    assert (sender.mean_bytes(1), sender.most_bytes_each) == (10, 50)
    sender._stages.clear()
    assert sender.most_bytes_each == 0.0, "a stage that leads to none"


def test_a_replica_that_has_done_nothing_yet_does_not_make_a_slow_stage_quick() -> None:
    wire = Recording()
    sender = made(wire, replicas=2, frame_messages=1_000)
    offer(sender, 0, 1)
    sender.flush()
    offer(sender, *range(2, 50))
    slow, new = wire.frames
    sender.take_credit(slow.link, Feedback(slow.sequence, 0.05))
    sender.take_credit(new.link, Feedback(new.sequence, 0.0))
    sender.flush()
    assert max(wire.sizes) == 2


def test_the_links_of_a_stage_can_be_looked_at() -> None:
    wire = Recording()
    sender = made(wire, replicas=2)
    assert sender.main_lane(0).idle == 2
    offer(sender, 0)
    sender.flush()
    assert sender.main_lane(0).idle == 1
    answer(sender, wire.frames[0])
    assert sender.main_lane(0).idle == 2


def test_what_a_message_takes_to_its_end_is_what_the_quickest_way_forward_last_said() -> None:
    wire = Recording()
    assert Sender(wire, FlowOptions(), epoch=7, clock=Still(), rng=random.Random(1)).rest_s == 0.0, (
        "nothing lies behind it"
    )
    sender = made(wire)
    assert sender.rest_s == 0.0, "nobody has said anything yet"
    sender.connect(1, 1)
    sender.connect(2, 1, is_back=True)
    for stage in range(3):
        sender.offer(stage, 1, stage, stage, None)
    sender.flush()
    for frame, rest_s in zip(wire.frames, (0.5, 0.25, 0.125), strict=True):
        sender.take_credit(frame.link, Feedback(frame.sequence, 0.0, rest_s))
    assert sender.rest_s == 0.25
    sender.offer(1, 1, 3, 3, None)
    sender.flush()
    sender.take_credit(wire.frames[-1].link, Feedback(wire.frames[-1].sequence, 0.0))
    assert sender.rest_s == 0.25, "a replica that knows nothing yet says nothing"
