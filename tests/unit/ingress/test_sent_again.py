"""What is sent again after a loss: inputs of which a message is under way that nobody holds, and no others."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from by_hand import NotingWire

import penguiray as pr
from penguiray.clock import SystemClock
from penguiray.errors import ReplicaLost
from penguiray.ingress.losses import Losses
from penguiray.ingress.replays import DEATHS
from penguiray.ingress.roots import News, roots_for
from penguiray.link.failure import CarriedError, Failure
from penguiray.link.frame import LinkId
from penguiray.link.ids import child_id, first_id, next_attempt, root_of
from penguiray.link.sender import Sender
from penguiray.plan.plan import Plan


@pr.node(fuse=False)
def first(x: int) -> int:
    return x


@pr.node(fuse=False)
def second(x: int) -> int:
    return x


@pr.node
def several(x: int) -> Iterator[int]:
    yield x


STRAIGHT = pr.Flow(first >> second).plan()
SPREAD = pr.Flow(first >> several).plan()
UNSURE = pr.Flow(first.options(deterministic=False) >> several).plan()
ROOTS = [root_of(1, position) for position in range(3)]


class Driver:
    """The caller's side of a plan, whose three inputs are sent."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.wire, self.roots = plan, NotingWire(), roots_for(plan)
        self.sender = Sender(self.wire, plan.options, epoch=1, clock=SystemClock(), rng=random.Random(1))
        self.sender.connect(0, 1)
        self.losses = Losses(plan, self.roots, self.sender, lambda roots: {})
        self.roots.announce(ROOTS, [[first_id(root, 0) for root in ROOTS]])
        self.losses.keep(ROOTS, [["a", "b", "c"]])

    def recover(self, held: set[int]) -> tuple[int, list[int]]:
        """What is done where two counts find the same."""
        self.losses.count += 1
        before, now = (self.losses.missing(set(held)) for _ in range(2))
        again, dead = self.losses.recover(before, now, self.losses.count)
        return len(again), dead

    def arrive(self) -> None:
        """What was sent is on its way no more."""
        self.sender.flush()
        for is_down in (True, False):
            self.sender.set_down(LinkId(0, 0), is_down=is_down)

    def sent_again(self) -> list[Any]:
        self.sender.flush()
        return [value for frame in self.wire.frames for value in frame.messages.values]


def at(root: int, *stages: int) -> int:
    first, *others = stages
    message_id = first_id(root, first)
    for stage in others:
        message_id = child_id(message_id, stage)
    return message_id


@pytest.mark.parametrize("plan", [STRAIGHT, SPREAD])
def test_an_input_is_sent_again_if_nobody_holds_its_message_wherever_that_is(plan: Plan) -> None:
    driver = Driver(plan)
    for root in ROOTS[:2]:
        driver.roots.finish(plan.stages[0], root, at(root, 0), 1)
    again, dead = driver.recover({at(ROOTS[0], 0, 1), at(ROOTS[2], 0)})
    assert (again, dead) == (1, [])
    assert driver.sent_again() == ["b"]
    assert driver.wire.frames[0].messages.ids == [at(ROOTS[1], 0)]


@pytest.mark.parametrize("plan", [STRAIGHT, SPREAD])
def test_an_input_is_on_its_way_again_while_a_message_of_it_is_done_a_second_time(plan: Plan) -> None:
    driver = Driver(plan)
    driver.roots.finish(plan.stages[0], ROOTS[0], at(ROOTS[0], 0), 1)
    others = {at(root, 0) for root in ROOTS[1:]}
    assert driver.recover(others) == (1, [])
    driver.arrive()
    for _ in range(10):
        assert driver.recover({*others, at(ROOTS[0], 0)}) == (0, [])
    assert driver.recover(others) == (1, []), "the second time was lost, too"


def test_what_stands_still_may_have_what_is_missing_so_nothing_is_given_up_on() -> None:
    driver = Driver(SPREAD)
    end = root_of(1, 3)
    driver.roots.announce([end], [[first_id(end, 0)]])
    missing = driver.losses.missing(set())
    assert driver.losses.recover(missing, missing, None) == (ROOTS, [])
    driver.arrive()
    for _ in range(10):
        driver.losses.count += 1
        assert driver.losses.recover(missing, missing, None) == ([], [])
    assert driver.losses.recover(missing, missing, driver.losses.count) == (ROOTS, [end])


def test_an_input_whose_lost_part_cannot_come_again_fails_with_the_reason() -> None:
    driver = Driver(SPREAD)
    message = at(ROOTS[0], 0)
    driver.roots.finish(SPREAD.stages[0], ROOTS[0], message, 1)
    others = {at(root, 0) for root in ROOTS[1:]}
    assert driver.recover(others) == (1, [])
    driver.arrive()
    failure = Failure(ROOTS[0], message, "first", 1, CarriedError.of(KeyError("gone")))
    driver.losses.note_failure(failure, is_new=False)
    assert driver.recover({*others, message}) == (0, [])
    assert driver.recover(others) == (0, ROOTS[:1])
    assert driver.losses.why_given_up(ROOTS[0], SPREAD.stages[0]) is failure


def test_what_waits_on_the_callers_side_is_not_lost_and_what_is_done_is_not_sent_again() -> None:
    driver = Driver(STRAIGHT)
    for stage, *way in ((0, 0), (1, 0, 1)):
        news = driver.roots.finish(STRAIGHT.stages[stage], ROOTS[0], at(ROOTS[0], *way), 1)
    assert news is News.DONE
    driver.losses.forget(ROOTS[:1])
    driver.sender.offer(0, ROOTS[1], at(ROOTS[1], 0), "b", None)
    assert driver.recover(set()) == (1, [])
    assert driver.sent_again() == ["b", "c"]


def test_what_was_not_sent_as_an_input_cannot_be_sent_again() -> None:
    driver = Driver(SPREAD)
    end = root_of(1, 3)
    driver.roots.announce([end], [[first_id(end, 0)]])
    assert driver.recover({at(root, 0) for root in ROOTS}) == (0, [end])


def test_a_result_that_comes_again_after_a_loss_is_no_news() -> None:
    driver = Driver(SPREAD)
    message = at(ROOTS[0], 0, 1)
    driver.roots.finish(SPREAD.stages[0], ROOTS[0], at(ROOTS[0], 0), 1)
    assert [driver.losses.is_new(1, ROOTS[0], message, index) for index in (0, 1, 0, 1, 2)] == [
        True, True, False, False, True,
    ]  # fmt: skip
    driver.roots.finish(SPREAD.stages[1], ROOTS[0], message, 3)
    assert not driver.losses.is_new(1, ROOTS[0], message, 3)


@pytest.mark.parametrize("plan", [STRAIGHT, SPREAD])
def test_what_is_somewhere_else_at_the_second_count_was_on_its_way(plan: Plan) -> None:
    driver = Driver(plan)
    before = driver.losses.missing({at(root, 0) for root in ROOTS[1:]})
    assert list(before) == ROOTS[:1]
    driver.roots.finish(plan.stages[0], ROOTS[0], at(ROOTS[0], 0), 1)
    now = driver.losses.missing({at(root, 0) for root in ROOTS[1:]})
    assert driver.losses.recover(before, now, 1) == ([], [])


@pytest.mark.parametrize("plan", [STRAIGHT, SPREAD])
def test_a_suspect_is_marked_and_given_up_on_when_three_replicas_died_while_they_were_at_it(plan: Plan) -> None:
    driver, message = Driver(plan), at(ROOTS[0], 0)
    others = {at(root, 0) for root in ROOTS[1:]}
    marks = []
    for _ in range(1 + DEATHS):
        again, dead = driver.recover(others)
        driver.arrive()
        marks.append(any(fact.is_suspect for frame in driver.wire.frames for fact in frame.messages.facts.values()))
        assert (again, dead) == (1, [])
        driver.wire.frames.clear()
        if marks[-1]:
            driver.losses.note_begun(LinkId(0, 0), 0, ROOTS[0], message)
            driver.losses.note_loss(LinkId(0, 0), by_us=False)
            driver.losses.count -= 1  # the driver counts them itself
    assert marks == [False, *[True] * DEATHS]
    assert driver.recover(others) == (0, ROOTS[:1])


def test_a_replica_that_had_finished_a_suspect_or_was_ended_by_us_did_not_die_of_it() -> None:
    driver, message = Driver(STRAIGHT), at(ROOTS[0], 0)
    for _ in range(10):
        driver.losses.note_begun(LinkId(0, 0), 0, ROOTS[0], message)
        driver.losses.note_loss(LinkId(0, 0), by_us=True)
    driver.roots.finish(STRAIGHT.stages[0], ROOTS[0], message, 1)
    for _ in range(10):
        driver.losses.note_begun(LinkId(0, 0), 0, ROOTS[0], message)
        driver.losses.note_loss(LinkId(0, 0), by_us=False)
    assert driver.recover({at(root, 0) for root in ROOTS[1:]}) == (1, [])


def test_a_message_that_is_parked_between_two_counts_had_come_to_its_join() -> None:
    driver, message = Driver(SPREAD), at(ROOTS[0], 0)
    others = {at(root, 0) for root in ROOTS[1:]}
    before = driver.losses.missing(set(others))
    driver.roots.park(SPREAD.stages[0], ROOTS[0], message)
    now = driver.losses.missing(set(others))
    assert driver.losses.recover(before, now, 1) == ([], []), "it was on its way at first, and is told of since"
    assert driver.losses.recover(now, driver.losses.missing(set(others)), 1) == (ROOTS[:1], [])


def given_up(driver: Driver, root: int, stage: int = 1) -> str:
    """What an input says that is given up on."""
    failure = driver.losses.why_given_up(root, driver.plan.stages[stage])
    error = failure.error.restore()
    name = driver.plan.stages[stage].last.name
    assert (failure.root, failure.message_id, failure.node, failure.attempt) == (root, 0, name, 1)
    assert isinstance(error, ReplicaLost)
    assert error.node == name
    return str(error)


def test_an_input_that_is_given_up_on_says_which_one_it_was_and_why() -> None:
    lost = "of its call was lost with a replica of 'second'; "
    driver = Driver(STRAIGHT)
    assert given_up(driver, ROOTS[1]) == (
        f"input 1 {lost}replicas die of it: 3 did so while they were at it, after it had been lost twice before"
    )
    assert given_up(driver, root_of(1, 7)) == f"input 7 {lost}it is the sum of a fold, which cannot be given again"
    last = last_attempt(ROOTS[2])
    driver.losses.keep([last], [["c"]])
    assert given_up(driver, last) == f"input 2 {lost}it was sent again too often already"
    plan = pr.Flow(first.options(delivery="at_most_once") >> second).plan()
    assert given_up(Driver(plan), ROOTS[0]) == (
        f"input 0 {lost}it is not sent again, since node 'first' is at_most_once; what it did has been done"
    )


def last_attempt(root: int) -> int:
    """The root under which an input begins anew for the last time."""
    while (anew := next_attempt(root)) is not None:
        root = anew
    return root


def test_an_input_that_began_anew_too_often_is_given_up_on() -> None:
    driver, last = Driver(UNSURE), last_attempt(ROOTS[0])
    driver.roots.announce([last], [[at(last, 0)]])
    driver.losses.keep([last], [["a"]])
    assert driver.recover({at(root, 0) for root in ROOTS}) == (0, [last])


def test_an_input_that_begins_anew_goes_on_under_another_root_alone() -> None:
    driver, old = Driver(UNSURE), ROOTS[0]
    others = {at(root, 0) for root in ROOTS[1:]}
    assert driver.recover(others) == (1, [])
    anew = next_attempt(old)
    assert anew is not None
    assert (old in driver.roots, anew in driver.roots) == (False, True)
    assert (old in driver.losses, anew in driver.losses) == (False, True)
    driver.sender.flush()
    (frame,) = driver.wire.frames
    assert (frame.messages.roots, frame.messages.ids, frame.messages.values) == ([anew], [at(anew, 0)], ["a"])
    driver.arrive()
    driver.wire.frames.clear()
    assert driver.recover(others) == (1, []), "the second attempt was lost, too"
    driver.sender.flush()
    (frame,) = driver.wire.frames
    third = next_attempt(anew)
    assert frame.messages.roots == [third]
    assert [fact.is_suspect for fact in frame.messages.facts.values()] == [True], "it was lost twice"
    assert set(driver.roots) == {*ROOTS[1:], third}


def test_where_inputs_are_not_kept_none_begins_anew_and_none_can_be_sent_again() -> None:
    driver = Driver(UNSURE)
    assert driver.losses.begin_anew
    driver.losses = Losses(driver.plan, driver.roots, driver.sender, lambda roots: {}, keeps=False)
    driver.losses.keep(ROOTS, [["a", "b", "c"]])
    assert not driver.losses.begin_anew
    assert [root in driver.losses for root in ROOTS] == [False] * 3
    assert driver.recover({at(root, 0) for root in ROOTS[1:]}) == (0, ROOTS[:1])
    assert driver.losses.is_new(1, ROOTS[0], at(ROOTS[0], 0, 1), 0)
    assert driver.losses.is_new(1, ROOTS[0], at(ROOTS[0], 0, 1), 0), "nothing comes again where nothing is sent again"
    driver.losses.note_failure(failed(ROOTS[0]), is_new=False)
    assert isinstance(driver.losses.why_given_up(ROOTS[0], driver.plan.stages[0]).error.restore(), ReplicaLost)


def failed(root: int) -> Failure:
    return Failure(root, at(root, 0), "first", 1, CarriedError.of(KeyError("gone")))


def test_a_message_that_fails_each_time_can_come_again() -> None:
    driver = Driver(SPREAD)
    driver.losses.note_failure(failed(ROOTS[0]), is_new=True)
    driver.losses.note_failure(failed(ROOTS[0]), is_new=False)
    assert driver.recover({at(root, 0) for root in ROOTS[1:]}) == (1, [])


def test_a_failure_of_an_input_that_is_done_is_not_remembered() -> None:
    driver = Driver(SPREAD)
    driver.roots.drop(ROOTS[:1])
    driver.losses.note_failure(failed(ROOTS[0]), is_new=False)
    assert "replicas die of it" in given_up(driver, ROOTS[0])


@pytest.mark.parametrize("ends", ["one by one", "all"])
def test_nothing_is_remembered_of_an_input_that_is_done(ends: str) -> None:
    driver, root = Driver(SPREAD), ROOTS[0]
    message = at(root, 0, 1)
    assert driver.losses.is_new(1, root, message, 0)
    driver.losses.note_failure(failed(root), is_new=False)
    driver.losses.note_failure(failed(ROOTS[1]), is_new=True)
    if ends == "all":
        driver.losses.clear()
    else:
        driver.losses.forget(ROOTS)
    assert [root in driver.losses for root in ROOTS] == [False] * 3
    assert driver.losses.is_new(1, root, message, 0), "what came before is nobody's"
    assert given_up(driver, root).endswith("it is the sum of a fold, which cannot be given again")
    driver.losses.note_failure(failed(ROOTS[1]), is_new=False)
    assert driver.losses.why_given_up(ROOTS[1], SPREAD.stages[1]).error.type_name == "builtins.KeyError"


def test_inputs_are_kept_with_all_their_values_or_not_at_all() -> None:
    plan = pr.Flow(pr.fan(first, second)).plan()
    two = Losses(plan, roots_for(plan), Driver(STRAIGHT).sender, lambda roots: {})
    for losses, columns in (
        (Driver(STRAIGHT).losses, [["a"]]),
        (Driver(STRAIGHT).losses, [["a", "b", "c"]]),
        (two, [["a"], ["c"]]),
        (two, [["a", "b"], ["c"]]),
        (two, [["a", "b"], ["c", "d", "e"]]),
    ):
        with pytest.raises(ValueError, match=r"shorter|longer"):
            losses.keep(ROOTS[:2], columns)


def test_an_input_that_ended_between_two_counts_and_what_follows_is_left_alone() -> None:
    driver = Driver(SPREAD)
    missing = driver.losses.missing({at(root, 0) for root in ROOTS[1:]})
    driver.roots.drop(ROOTS[:1])
    assert driver.losses.recover(missing, missing, 1) == ([], [])


def test_when_the_last_suspect_is_done_nothing_is_said_about_the_others() -> None:
    driver, message = Driver(STRAIGHT), at(ROOTS[0], 0)
    everything = {at(root, 0) for root in ROOTS}
    for _ in range(2):
        assert driver.recover(everything - {message}) == (1, [])
        driver.arrive()
    driver.roots.drop(ROOTS[:1])
    assert driver.recover(everything) == (0, [])
    driver.wire.frames.clear()
    assert driver.recover({at(ROOTS[2], 0)}) == (1, [])
    driver.sender.flush()
    assert [(frame.messages.roots, dict(frame.messages.facts)) for frame in driver.wire.frames] == [([ROOTS[1]], {})]


def test_a_loss_counts_unless_the_replica_was_ended_by_us() -> None:
    losses = Driver(STRAIGHT).losses
    assert losses.count == 0
    losses.note_loss(LinkId(0, 0), by_us=True)
    assert losses.count == 0
    losses.note_loss(LinkId(0, 0), by_us=False)
    losses.note_loss(LinkId(1, 0), by_us=False)
    assert losses.count == 2
