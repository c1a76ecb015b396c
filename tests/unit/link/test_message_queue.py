"""What waits for its frame, and what is said about it."""

from __future__ import annotations

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
