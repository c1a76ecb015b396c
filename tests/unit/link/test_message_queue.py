"""What waits for its frame, and what is said about it."""

from __future__ import annotations

import gc
import random
from typing import Any

import pytest
from costs import instructions_of

from penguiray.link.message import Facts, MessageQueue, Messages


def test_a_message_that_waits_twice_since_it_was_sent_again_keeps_what_is_said_about_it_twice() -> None:
    queue, facts = MessageQueue(), Facts("trace")
    for message_id in (1, 2, 1):
        queue.add(7, message_id, "x", facts, (3,), 5)
    for message_id in (1, 2, 1):
        taken = queue.take(1)
        assert (taken.ids, taken.hops, taken.keys) == ([message_id], {message_id: (3,)}, {message_id: 5})
        assert taken.facts == {7: facts}
    assert not len(queue)


def test_messages_of_given_up_inputs_are_taken_out_and_the_others_stay_as_they_are() -> None:
    queue = MessageQueue()
    for root, message_id in ((7, 1), (8, 2), (7, 3)):
        queue.add(root, message_id, root, None, (message_id,))
    assert queue.drop({7}) == 2
    left = queue.take(9)
    assert (left.roots, left.ids, left.values, left.hops) == ([8], [2], [8], {2: (2,)})


def test_what_is_said_is_forgotten_with_the_last_message_of_its_number_also_where_some_were_put_back() -> None:
    queue, facts = MessageQueue(), Facts("trace")
    queue.add(7, 1, "x", None)
    queue.add(7, 2, "x", facts, (3,))
    queue.add(7, 2, "x", None)
    queue.put_back(queue.take(2))
    assert queue.take(1).facts == {7: facts}
    assert queue.take(1).hops == queue.take(1).hops == {2: (3,)}
    queue.add(7, 2, "x", None)
    taken = queue.take(1)
    assert not taken.facts
    assert not taken.hops


def test_a_long_queue_costs_no_more_for_each_message_than_a_short_one() -> None:
    def taken_one_by_one(count: int) -> None:
        queue = MessageQueue()
        for number in range(count):
            queue.add(number, number, "x", Facts("trace"), (1,), 2)
        while len(queue):
            queue.take(1)

    short, long = (instructions_of(lambda count=count: taken_one_by_one(count)) for count in (50, 500))  # type: ignore[misc]
    assert long < 11 * short


class Plain:
    """The same, slowly: what is said is kept as long as somebody of its number is found in the queue."""

    def __init__(self) -> None:
        self.waiting: list[tuple[int, int]] = []
        self.said: tuple[dict[int, Any], ...] = ({}, {}, {})

    def put(self, messages: Messages, at: int) -> None:
        self.waiting[at:at] = zip(messages.roots, messages.ids, strict=True)
        for mine, theirs, numbers in zip(self.said, self.all_said(messages), self.numbers(messages), strict=True):
            mine.update({number: theirs[number] for number in numbers if number in theirs})

    def take(self, count: int) -> tuple[list[tuple[int, int]], tuple[dict[int, Any], ...]]:
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        given: list[dict[int, Any]] = []
        for place, mine in zip((0, 1, 1), self.said, strict=True):
            given.append({one[place]: mine[one[place]] for one in taken if one[place] in mine})
            for number in [number for number in mine if number not in {one[place] for one in self.waiting}]:
                del mine[number]
        return taken, tuple(given)

    @staticmethod
    def all_said(messages: Messages) -> tuple[Any, ...]:
        return messages.facts, messages.hops, messages.keys

    @staticmethod
    def numbers(messages: Messages) -> tuple[list[int], ...]:
        return messages.roots, messages.ids, messages.ids


@pytest.mark.parametrize("seed", range(100))
def test_what_is_said_goes_with_its_messages_whatever_is_added_taken_and_put_back(seed: int) -> None:
    rng, queue, plain = random.Random(seed), MessageQueue(), Plain()

    def drawn() -> Messages:
        count = rng.randrange(4)
        roots, ids = [rng.randrange(6) for _ in range(count)], [rng.randrange(8) for _ in range(count)]
        facts = {root: Facts(str(root)) for root in rng.sample(range(6), rng.randrange(3))}
        hops = {number: (number,) for number in rng.sample(range(8), rng.randrange(3))}
        keys = {number: number for number in rng.sample(range(8), rng.randrange(3))}
        return Messages(roots, ids, list(ids), facts, hops, keys)

    for _ in range(60):
        step = rng.choice(["add", "extend", "take", "put back"])
        if step == "add":
            (root, message_id), key = (rng.randrange(6), rng.randrange(8)), rng.choice([None, 5])
            facts, hops = rng.choice([None, Facts("a")]), rng.choice([None, (1,)])
            queue.add(root, message_id, message_id, facts, hops, key)
            numbers_and_said = zip((root, message_id, message_id), (facts, hops, key), strict=True)
            said: list[Any] = [{} if one is None else {number: one} for number, one in numbers_and_said]
            plain.put(Messages([root], [message_id], [message_id], *said), len(plain.waiting))
        elif step == "extend":
            messages = drawn()
            queue.extend(messages)
            plain.put(messages, len(plain.waiting))
        else:
            count = rng.randrange(5)
            taken, (numbers, told) = queue.take(count), plain.take(count)
            assert list(zip(taken.roots, taken.ids, strict=True)) == numbers
            assert plain.all_said(taken) == told
            if step == "put back":
                queue.put_back(taken)
                plain.put(taken, 0)


def test_an_empty_queue_keeps_nothing_of_those_that_have_waited() -> None:
    queue = MessageQueue()
    for number in range(1_000):
        queue.add(number, number, "x", Facts("trace") if number == 0 else None)
    queue.take(1)
    assert not any(one for one in gc.get_referents(queue._facts) if isinstance(one, dict))
