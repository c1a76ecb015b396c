"""The unit on a link, and what comes back for it.

    sender                                                 receiver
      | -- Frame(link, epoch, sequence, n) ------------------> |   one actor call, or one entry of a stream
      | <-- Feedback(sequence, service, rest, wait, held) ---- |   when the frame was taken off the inbox

Both words are kept apart on purpose. *Credit* bounds queues: it comes back as soon as the frame left the inbox.
*Accepted* says that the receiver holds the bytes. *Settled* (everything derived was accepted by the next hop) is not
said: a sender forgets a frame once it is accepted, and what is lost after that is sent again from the input.
"""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

from penguiray.link.message import Messages

__all__ = ["SERVED", "Feedback", "Frame", "Kind", "LinkId"]


class Kind(enum.IntEnum):
    """What a frame is for. Control frames travel the same links as data, so they cannot overtake it."""

    is_data: bool
    """Whether it carries messages, and is no control word."""
    lane: Kind
    """Frames of one lane arrive in their order; others may pass them. Control words go with the data."""

    DATA = 0
    """Messages."""
    END = 1
    """The input of a call has ended: a fold gives its sum, a batcher stops waiting."""
    FORGET = 2
    """A call was given up: state that is held for it is dropped."""
    SEAL = 3
    """Reserved: the receiver takes nothing more of an old epoch."""
    BARRIER = 4
    """Reserved: a checkpoint passes here."""
    BACK = 5
    """Messages on a way back: served before data, so that loops end before new work begins."""

    CLOSE = 6
    """Nothing more can come to a join, of some inputs or of a whole call: their groups end as they are."""
    HIGH = 7
    """Messages of inputs with a high priority: served before data."""
    LOW = 8
    """Messages of inputs with a low priority: served while there is no data."""


SERVED = (Kind.BACK, Kind.HIGH, Kind.DATA, Kind.LOW)
"""The kinds that carry messages, in the order in which they are sent and served."""

for _kind in Kind:  # asked for with each frame, so they are no properties
    _kind.is_data = _kind in SERVED
    _kind.lane = _kind if _kind.is_data else Kind.DATA


class LinkId(NamedTuple):
    """From one sender to one replica of a stage."""

    stage: int
    """The receiving stage."""
    replica: int
    """Number of the receiving replica in its stage."""


class Frame(NamedTuple):
    """One or more messages, or one control word, on their way to a replica."""

    link: LinkId
    """Where it goes."""
    epoch: int
    """Epoch of the sender: that of the run for the caller's side, and of each replica one of its own. Of a replica that
    was replaced nothing is taken any more, however late it arrives."""
    sequence: int
    """Number of the frame on its link, from 0; puts frames back in order where the transport may not."""
    kind: Kind
    """Data, or which control word."""
    messages: Messages
    """The messages; a control frame has one whose value is None, or none."""
    call: int = 0
    """The call that a control word speaks of."""
    common: dict[Any, Any] | None = None
    """Where a transport may keep what this frame has in common with others that are sent in the same moment, to several
    stages; None where there is only one. It is gone when all are sent, and does not travel."""


class Feedback(NamedTuple):
    """What a receiver says about a frame: credit and acceptance in one word, since one call brings both."""

    sequence: int
    """The frame that was taken off the inbox, whose messages and bytes come back as credit: its sender knows both."""
    service_s: float
    """The replica's mean time for one message in seconds, 0 if it has done none; sizes the next frames."""
    rest_s: float = 0.0
    """What a message with a deadline typically takes from the beginning of its call there until its end, in seconds, by
    the quickest way and without waiting; 0 while that is not known."""
    wait_s: float = 0.0
    """Seconds until a message that comes now would begin: what waits there and is worked on, whoever has sent it."""
    held_s: float = 0.0
    """Seconds for which the replica had the frame; the rest of the time until this is heard it was on its way."""
    late_s: float = 0.0
    """Seconds for which this was kept back after that, for it to bring along what has come of the frame."""
