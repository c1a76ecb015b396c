"""How many frames may be on their way to one replica: as many as keep it busy until its sender hears of it. Pure.

On a quick way two are enough, one that is worked on and one that is ready. On a slow one the replica would be idle for
the rest of the round trip, and where its sender is away for a while, for the rest of that: a program that keeps many
results stands still while Python looks through them for garbage, for a third of a second at a million objects.
"""

from __future__ import annotations

import math

__all__ = ["FRAMES_AHEAD", "QUICK_S", "frames_ahead", "is_slow"]

FRAMES_AHEAD = 2
"""Frames in flight on a quick way: one being worked on, one ready. More brought nothing in measurements."""
_MOST_AHEAD = 64
"""Most frames in flight on a slow one: enough for a round trip of 60 ms of the quickest frames. What is there when the
replica is lost is sent again, and what is given up meanwhile has left for nothing; `FlowOptions.link_bytes` bounds its
bytes."""
QUICK_S = 0.005
"""Round trips up to this are quick, in seconds: calls on one host take 1 to 2 ms, and more while its CPUs are busy."""
_FRAME_S = 0.001
"""What a frame costs its receiver besides its messages, in seconds: a call takes about so long, whatever is in it, and
one whose frame goes by way of Ray's store several times as long. Less has more frames on the way than are of use, more
leaves the replica idle."""


def is_slow(round_trip_s: float) -> bool:
    """Whether a way is slow; one that was not measured is not."""
    return QUICK_S < round_trip_s < math.inf


def frames_ahead(lag_s: float, work_s: float) -> int:
    """Frames that may be on their way to one replica.

    Args:
        lag_s: Seconds for which the replica has to have work before more can come.
        work_s: Seconds that the messages of a full frame take; 0 while unknown.
    """
    if not is_slow(lag_s):
        return FRAMES_AHEAD
    return min(_MOST_AHEAD, max(FRAMES_AHEAD, 1 + math.ceil(lag_s / (work_s + _FRAME_S))))
