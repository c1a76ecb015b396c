"""What waits for its frame, and what is said about it."""

from __future__ import annotations

from costs import instructions_of

from penguiray.link.message import Facts, MessageQueue


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
