"""Of a sender that was replaced a replica takes nothing any more, however late it comes."""

from __future__ import annotations

import asyncio
import random

from nowhere import Nowhere

import penguiray as pr
from penguiray.clock import SystemClock
from penguiray.link.frame import Feedback, Frame, Kind, LinkId
from penguiray.link.ids import first_id, root_of
from penguiray.link.message import Messages
from penguiray.link.peers import Peers, epoch_of
from penguiray.runtime.replica import Replica


@pr.node
def same(x: str) -> str:
    return x


def test_frames_of_an_old_epoch_are_answered_and_dropped() -> None:
    plan, root, taken = pr.Flow(same).plan(), root_of(1, 0), list[Feedback]()
    old, new = (epoch_of(7, LinkId(3, 0), generation) for generation in (0, 1))

    async def main() -> list[str]:
        replica = Replica(
            plan.stages[0], plan.options, Nowhere(), epoch=7, clock=SystemClock(), rng=random.Random(0),
            on_news=lambda: None, inline=True,
        )  # fmt: skip
        await replica.open()
        replica.refused = {old}
        for sequence, (epoch, value) in enumerate([(old, "late"), (new, "good"), (7, "input")]):
            messages = Messages([root], [first_id(root, 0)], [value])
            replica.receive(Frame(LinkId(0, 0), epoch, sequence, Kind.DATA, messages), taken.append)
        replica.finish()
        await replica.run()
        return list(replica.outbox.take_report().results)

    assert asyncio.run(main()) == ["good", "input"]
    assert [feedback.sequence for feedback in taken] == [0, 1, 2]


def test_no_two_replicas_of_a_run_have_the_same_epoch_and_none_has_that_of_the_run() -> None:
    links = [LinkId(stage, number) for stage in range(20) for number in range(20)]
    epochs = [7, *(epoch_of(7, link, generation) for link in links for generation in range(20))]
    assert len(set(epochs)) == len(epochs)


def test_words_that_overtake_each_other_are_heard_in_their_order_and_all_epochs_are_kept() -> None:
    peers = Peers()
    assert list(peers.new([(2, LinkId(0, 0), "second", (100, 101))])) == [(LinkId(0, 0), "second")]
    assert list(peers.new([(1, LinkId(0, 0), None, (100,)), (3, LinkId(0, 1), None, (200,))])) == [(LinkId(0, 1), None)]
    assert (peers.gone, peers.heard_of(LinkId(0, 0)), peers.heard_of(LinkId(0, 2))) == ({100, 101, 200}, 2, 0)
