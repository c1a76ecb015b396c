"""How a loss is made good, with an engine's hands that do what the test says, and answer when it says so."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from by_hand import HandClock, NotingWire

import penguiray as pr
from penguiray.ingress.ingress import Ingress
from penguiray.ingress.recovery import Answered, Recovery
from penguiray.link.frame import Feedback, LinkId
from penguiray.link.ids import first_id, root_of
from penguiray.link.peers import Held, PeerNews
from penguiray.link.report import Report

A, B, C = (LinkId(0, number) for number in range(3))


@pr.node(replicas=3)
def three(x: int) -> Iterator[int]:
    yield x


class Run:
    """Three replicas of a stage, all of which work; each has one of three inputs, which it has taken off its inbox."""

    def __init__(self) -> None:
        self.plan = pr.Flow(three).plan(cpus=3)
        self.clock, self.wire = HandClock(), NotingWire()
        self.ingress = Ingress(self.plan, self.wire, epoch=1, clock=self.clock, rng=random.Random(1))
        self.recovery = Recovery(self.plan, self.ingress, threading.RLock(), self, self.clock)
        self.links = {A, B, C}
        self.created: list[tuple[LinkId, float]] = []
        self.told: list[tuple[LinkId, list[LinkId], Answered]] = []
        self.asked: list[tuple[LinkId, Answered]] = []
        call = self.ingress.open_call(ordered=False, facts=None, wake=lambda: None)
        self.ingress.admit(call, [[0, 1, 2]])
        self.roots = [root_of(call.number, position) for position in range(3)]
        for link in (A, B, C):
            self.ingress.set_down(link, is_down=True)  # as if each had taken its frame: nothing is on its way any more
            self.ingress.set_down(link, is_down=False)
        self.wire.frames.clear()

    def working(self) -> Iterable[LinkId]:
        return self.links

    def place_of(self, link: LinkId) -> Any:
        return f"successor of {link.replica}"

    def epoch_of(self, link: LinkId) -> int:
        return 100 + link.replica

    def tell(self, link: LinkId, news: Sequence[PeerNews], answered: Answered) -> None:
        self.told.append((link, [one for _, one, place, _gone in news if place is None], answered))

    def ask_held(self, link: LinkId, answered: Answered) -> None:
        self.asked.append((link, answered))

    def create(self, link: LinkId, after_s: float) -> None:
        self.created.append((link, after_s))
        self.links.discard(link)

    def hear(self) -> None:
        """All have heard the news."""
        told, self.told = self.told, []
        for link, _, answered in told:
            answered(link, None)

    def say(self, *, told: int = 0, but: LinkId | None = None) -> None:
        """Each says that it has what it had at the beginning, and all but one say so at all."""
        asked, self.asked = self.asked, []
        for link, answered in asked:
            if link != but:
                answered(link, self.has(link, told))

    def has(self, link: LinkId, told: int = 0) -> Held:
        return told, [first_id(self.roots[link.replica], 0)]

    def sent(self) -> list[Any]:
        return [value for frame in self.wire.frames for value in frame.messages.values]


@pytest.fixture
def run() -> Run:
    return Run()


def test_what_the_lost_one_had_is_sent_again_once_two_counts_have_missed_it(run: Run) -> None:
    run.recovery.replace(A, "it was killed")
    assert (run.created, {link: down for link, down, _ in run.told}) == ([(A, 0.0)], {B: [A], C: [A]})
    assert run.asked == [], "they must have heard of it before they say what they hold"
    run.hear()
    run.say()
    assert run.sent() == []
    run.say()
    assert run.sent() == [0]
    assert {frame.link for frame in run.wire.frames} <= {B, C}


def test_what_is_finished_and_not_told_yet_is_waited_for(run: Run) -> None:
    run.recovery.replace(A, "it was killed")
    run.hear()
    run.say(told=1)
    assert run.asked == [], "the second count begins when the reports of the first are here"
    for link in (B, C):
        message = first_id(run.roots[link.replica], 0)
        run.ingress.on_report(link, Report(0, 1, roots=[run.roots[link.replica]], ids=[message], counts=[0]))
        run.recovery.note_report()
    asked, run.asked = run.asked, []
    for link, answered in asked:
        answered(link, (1, []))
    assert run.sent() == [0]


def test_another_loss_in_the_middle_of_a_count_is_looked_into_behind_it(run: Run) -> None:
    run.recovery.replace(A, "it was killed")
    run.hear()
    run.say()
    run.recovery.replace(B, "it was killed")
    run.hear()
    asked, run.asked = run.asked, []
    for link, answered in asked:
        answered(link, None if link == B else run.has(link))
    assert run.sent() == [0], "what B had was not missing in the first count"
    (frame,) = run.wire.frames
    run.ingress.on_feedback(frame.link, Feedback(frame.sequence, 0.0))
    run.say()
    run.say()
    assert run.sent() == [0, 0, 1], "the copy of the first one is in nobody's hands either"


def test_the_last_replica_may_be_lost_in_the_middle_of_a_count(run: Run) -> None:
    for link in (A, B):
        run.recovery.replace(link, "it was killed")
    run.hear()
    run.say(told=1)
    run.recovery.replace(C, "it was killed, with the report that was waited for")
    while run.asked or run.told:
        run.hear()
        asked, run.asked = run.asked, []
        for link, answered in asked:
            answered(link, None)
    assert run.sent() == [], "there is nobody to send to"
    run.links.add(A)
    run.recovery.ready(A)
    run.hear()
    for _ in range(2):
        asked, run.asked = run.asked, []
        for link, answered in asked:
            answered(link, (0, []))
    assert sorted(run.sent()) == [0, 1, 2]


def test_an_answer_that_a_lost_replica_gave_before_does_not_count(run: Run) -> None:
    run.recovery.replace(A, "it was killed")
    run.hear()
    late = next(answered for link, answered in run.asked if link == B)
    run.recovery.replace(B, "it was killed")
    late(B, run.has(B, told=5))
    for _ in range(4):
        run.hear()
        asked, run.asked = run.asked, []
        for link, answered in asked:
            answered(link, run.has(link) if link == C else None)
    assert sorted(run.sent()) == [0, 1]


def test_who_does_not_answer_is_gone_without_after_a_while(run: Run) -> None:
    run.recovery.replace(A, "it was killed")
    run.hear()
    for _ in range(2):
        run.say(but=B)
        run.recovery.tick()
        assert run.sent() == []
        run.clock.time += 11.0
        run.recovery.tick()
    assert sorted(run.sent()) == [0, 1], "what B has may be lost, so it is sent again, too"


def test_what_was_under_way_at_a_loss_is_counted_again_soon_and_then_more_seldom(run: Run) -> None:
    run.recovery.replace(A, "it was killed")
    run.hear()
    for _ in range(2):
        run.say()
    rests = []
    for _ in range(6):
        rest_s = run.recovery.rest_s
        assert rest_s is not None
        rests.append(rest_s)
        run.recovery.tick()
        assert not run.asked, "not before its time"
        run.clock.time += rest_s
        run.recovery.tick()
        assert run.recovery.rest_s is None, "it counts"
        for _ in range(2):
            run.say()
    assert rests == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    run.recovery.replace(B, "it was killed")
    run.hear()
    for _ in range(2):
        run.say()
    assert run.recovery.rest_s == 0.5


def test_a_replica_that_others_cannot_reach_is_news_unless_they_have_not_heard_of_its_successor(run: Run) -> None:
    assert run.recovery.is_news(A, heard=0)
    run.recovery.replace(A, "it was killed")
    assert not run.recovery.is_news(A, heard=0)
    run.links.add(A)
    run.recovery.ready(A)
    assert not run.recovery.is_news(A, heard=0)
    assert not run.recovery.is_news(A, heard=1)
    assert run.recovery.is_news(A, heard=2)
    assert run.recovery.is_news(B, heard=0)


def test_others_do_what_a_silent_replica_has_until_it_answers_again(run: Run) -> None:
    assert run.recovery.listen({A: 1.0, B: 4.9, C: 0.0}) == []
    assert run.told == []
    assert run.recovery.listen({A: 5.0, B: 1.0, C: 0.0}) == []
    assert {link: down for link, down, _ in run.told} == {B: [A], C: [A]}
    run.hear()
    run.say()
    run.say()
    assert run.sent() == [0]
    assert {frame.link for frame in run.wire.frames} <= {B, C}
    assert run.created == []
    assert run.recovery.listen({A: 6.0, B: 0.0, C: 0.0}) == []
    assert run.recovery.listen({A: 0.5, B: 0.0, C: 0.0}) == []
    assert {link: down for link, down, _ in run.told} == {A: [], B: [], C: []}, "it is there again"


def test_one_that_stays_silent_is_to_be_replaced_and_that_says_nothing_about_its_inputs(run: Run) -> None:
    run.recovery.listen({A: 5.0})
    assert run.recovery.listen({A: 15.0}) == [A]
    run.recovery.replace(A, "it has not answered for 15 s", by_us=True)
    assert (run.recovery.suspects, run.recovery.down) == (set(), {A})
    for _ in range(20):
        run.clock.time += 6.0
        run.recovery.tick()
        run.hear()
        run.say()
        run.say()
    assert run.ingress.dead_letters.total == 0
    assert set(run.sent()) == {0}


def test_peers_are_told_of_which_epochs_nothing_is_taken_any_more(run: Run) -> None:
    heard: list[tuple[int, ...]] = []
    run.tell = lambda link, news, answered: heard.extend(gone for _, _, _, gone in news)  # type: ignore[method-assign]
    run.recovery.suspect(A)
    assert set(heard) == {()}, "it may come back"
    run.recovery.replace(A, "it was silent", by_us=True)
    assert heard[-1] == (100,)
