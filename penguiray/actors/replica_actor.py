"""The actor round a replica: each method is one call into the process, in the group of threads that it needs.

Nothing in this class may be a coroutine: one would make it an async actor, whose sync methods run on its loop, and a
waiting `collect` would stop everything else.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

import ray

from penguiray.actors.calls import Peer
from penguiray.actors.door import Door
from penguiray.actors.letters import Letter, frame_in
from penguiray.actors.process import ReplicaProcess
from penguiray.actors.pulse import Pulse
from penguiray.actors.reader import MOST_ATTACHED
from penguiray.actors.ship import Packed, unpack_stage
from penguiray.graph.policies import FlowOptions
from penguiray.link.peers import Held, PeerNews
from penguiray.observe.card import RunCard
from penguiray.runtime.rate import Grant

__all__ = ["CONCURRENCY_GROUPS", "ReplicaActor"]

CONCURRENCY_GROUPS = {
    "data": 1,
    "first": 1,
    "low": 1,
    "collect": 1,
    "attached": MOST_ATTACHED,
    "control": 2,
    "peers": 1,
}
"""`data` keeps the order of frames with its one thread, and a frame stays there until it is worked on; `first` lets
messages on a way back and urgent ones pass those, and `low` has those that all others pass. Each attached process has a
thread of `attached` to wait in. `peers` is for losses, so that `control` never waits behind a count. A running node
never holds up the others."""


class ReplicaActor:
    """A detached actor with one replica. It ends itself when its driver is silent for longer than the lease."""

    def __init__(
        self,
        title: str,
        code: bytes,
        options: FlowOptions,
        number: int,
        generation: int,
        card: RunCard,
        outline: bytes | None,
        door: Door | None,
        large: Sequence[int],
        *packed: Packed,
    ) -> None:
        self._card = card
        self._outline = outline
        self._title = title
        self._pulse = Pulse()
        stage = unpack_stage(code, large, packed)
        self._process = ReplicaProcess(
            stage, options, epoch=card.epoch, number=number, generation=generation, door=door
        )

    def __repr__(self) -> str:
        """What Ray writes before each line that the user's code prints."""
        return self._title

    @ray.method(concurrency_group="control")
    def host(self) -> str:
        """Ray's id of the host that it was placed on."""
        return _host()

    @ray.method(concurrency_group="control")
    def set_up_host(self) -> None:
        """See `ReplicaProcess.set_up_host`."""
        self._process.set_up_host()

    @ray.method(concurrency_group="control")
    def open(self, peers: Mapping[int, Sequence[Peer]], first: Any) -> None:
        """See `ReplicaProcess.open`."""
        self._process.open(peers, first)

    @ray.method(concurrency_group="control")
    def load(self, name: str, code: bytes, large: Sequence[int], *packed: Packed) -> str:
        """Get another version of the stage, see `ReplicaProcess.load`; gives Ray's id of the host."""
        self._process.load(unpack_stage(code, large, packed), name)
        return _host()

    @ray.method(concurrency_group="control")
    def set_up_next_host(self) -> None:
        """See `Replica.set_up_next_host`."""
        self._process.set_up_next_host()

    @ray.method(concurrency_group="control")
    def open_next(self) -> None:
        """See `Replica.open_next`."""
        self._process.open_next()

    @ray.method(concurrency_group="control")
    def switch(self) -> None:
        """See `Replica.switch`."""
        self._process.switch()

    @ray.method(concurrency_group="control")
    def drop_next(self) -> None:
        """See `Replica.drop_next`."""
        self._process.drop_next()

    @ray.method(concurrency_group="control")
    def who(self) -> tuple[RunCard, float]:
        """Who the run is, and how long ago its driver was heard of, in seconds."""
        return self._card, self._process.silent_s

    @ray.method(concurrency_group="control")
    def admit(self) -> tuple[bytes, int, float] | None:
        """Let one more process into the run, whose first replica this is: its plan, the process's number, its age."""
        number = self._process.admit()
        return None if number is None or self._outline is None else (self._outline, number, self._process.age_s)

    @ray.method(concurrency_group="attached")
    def join(self, ingress: int) -> bool:
        """See `ReplicaProcess.join`."""
        return self._process.join(ingress)

    @ray.method(concurrency_group="attached")
    def collect_for(self, ingress: int) -> Letter:
        """See `ReplicaProcess.collect_for`."""
        return self._process.collect_for(ingress)

    @ray.method(concurrency_group="control")
    def leave(self, ingress: int) -> None:
        """See `ReplicaProcess.leave`."""
        self._process.leave(ingress)

    @ray.method(concurrency_group="data")
    def receive(self, letter: bytes, *beside: Any) -> Letter:
        """See `ReplicaProcess.receive`."""
        return self._process.receive(*frame_in(letter, beside))

    @ray.method(concurrency_group="first")
    def receive_first(self, letter: bytes, *beside: Any) -> Letter:
        """Like `receive`, for messages on a way back and urgent ones."""
        return self._process.receive(*frame_in(letter, beside))

    @ray.method(concurrency_group="low")
    def receive_low(self, letter: bytes, *beside: Any) -> Letter:
        """Like `receive`, for messages with a low priority."""
        return self._process.receive(*frame_in(letter, beside))

    @ray.method(concurrency_group="control")
    def receive_again(self, letter: bytes, *beside: Any) -> Letter:
        """See `ReplicaProcess.receive_again`."""
        place, header, data, _ = frame_in(letter, beside)
        assert place is not None
        return self._process.receive_again(place, header, data)

    @ray.method(concurrency_group="collect")
    def collect(self) -> Letter:
        """See `ReplicaProcess.collect`."""
        return self._process.collect()

    @ray.method(concurrency_group="control")
    def cancel(self, roots: Sequence[int], calls: Sequence[int]) -> None:
        """See `ReplicaProcess.cancel`."""
        self._process.cancel(roots, calls)

    @ray.method(concurrency_group="control")
    def permits(self, place: int, begun: int, want: int, asker: int) -> Grant:
        """See `ReplicaProcess.permits`."""
        return self._process.permits(place, begun, want, asker)

    @ray.method(concurrency_group="peers")
    def held(self) -> Held:
        """See `ReplicaProcess.held`."""
        return self._process.held()

    @ray.method(concurrency_group="peers")
    def note_peers(self, news: Sequence[PeerNews]) -> None:
        """See `ReplicaProcess.note_peers`."""
        self._process.note_peers(news)

    @ray.method(concurrency_group="control")
    def renew(self, ingress: int = 0) -> tuple[str, int, str]:
        """See `ReplicaProcess.renew`; gives the host's name, the process's id, and Ray's id of the host."""
        self._process.renew(ingress)
        return socket.gethostname(), os.getpid(), _host()

    @ray.method(concurrency_group="peers")
    def computes(self, pid: int) -> bool:
        """See `Pulse.computes`."""
        return self._pulse.computes(pid)

    @ray.method(concurrency_group="control")
    def stop(self, finish: bool) -> None:
        """See `ReplicaProcess.stop`."""
        self._process.stop(finish=finish)


def _host() -> str:
    return str(ray.get_runtime_context().get_node_id())
