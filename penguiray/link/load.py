"""What one sender knows of a replica: how much work is in front of it, how quick it is, and how far away. Pure."""

from __future__ import annotations

import math
from typing import NamedTuple

from penguiray.link.depth import frames_ahead, is_slow
from penguiray.link.frame import Feedback

__all__ = ["Load", "SentFrame"]

_FADE_S = 10.0
"""After so long without a word a replica counts as one of which nothing is known, in seconds: one that was slow once,
with its first message for instance, is tried again. Longer has fewer messages meet one that is still slow."""
_UNKNOWN_S = 0.001
"""What a message is taken to need before anybody knows, in seconds: what is under way counts from the beginning."""
_AWAY_S = 0.0005
"""How long a frame is taken to be on its way to another host before that was measured, in seconds."""
_AWAY_BYTES_PER_S = 1e9
"""How quickly bytes get to another host. If the network is quicker, large payloads stay here longer than they need."""
_SURE = 8
"""Answers after which the shortest round trip is taken for that of the way; less may be that of a busy process."""
_NEWEST = 0.25
"""Weight of the newest answer in how long messages wait for those of others."""


class SentFrame(NamedTuple):
    """A frame that its receiver has not taken, as far as is known."""

    ids: list[int]
    """Ids of its messages."""
    body_bytes: int
    """Its bytes."""
    sent_at: float
    """When it was sent."""
    is_first: bool
    """Whether nothing of its sender was on its way before it: if it has to wait, then for what others have sent."""


class Load:
    """One replica, for all lanes together.

    What was sent there and has not been answered is known exactly. What others have sent is known from the last answer,
    which grows old: so what is kept is the moment when the replica will be free. Others send more meanwhile; for that
    counts how long frames had to wait for them lately.
    """

    __slots__ = ("_answers", "_free_at", "_heard_at", "_others_s", "is_near", "lag_s", "round_trip_s", "service_s")

    def __init__(self) -> None:
        self._free_at = self._others_s = 0.0
        self._heard_at = -math.inf
        self._answers = 0
        self.service_s = 0.0
        """Its mean time for a message, in seconds; 0 while unknown."""
        self.round_trip_s = math.inf
        """Shortest time from sending a frame to hearing of it, less the time that the replica had it, in seconds: the
        shortest, since a busy process adds to it."""
        self.lag_s = 0.0
        """For how long it has to have work before more can come, in seconds: the round trip where the way is slow, and
        while the sender is away. 0 where both are quick."""
        self.is_near: bool | None = None
        """Whether it is on the sender's host; None while nobody has asked."""

    def note_sent(self, messages: int, now: float, stage_s: float) -> None:
        """So many messages are on their way to it; the replicas of its stage take `stage_s` for one."""
        self._free_at = max(self._free_at, now) + messages * self._service(self._freshness(now), stage_s)

    def note_heard(
        self, feedback: Feedback, frame: SentFrame, on_the_way: int, now: float, *, away_s: float = 0.0
    ) -> None:
        """It has taken a frame and says how it is doing.

        Args:
            feedback: What it says.
            frame: The frame.
            on_the_way: Messages that are on their way to it.
            now: The time.
            away_s: For how long its sender stood still lately, in seconds.
        """
        service_s = feedback.service_s
        if service_s <= 0:  # it has done nothing yet, or says no more than that the frame is there
            return
        self._answers += 1
        elapsed_s = now - frame.sent_at - feedback.late_s
        self.round_trip_s = min(self.round_trip_s, max(0.0, elapsed_s - feedback.held_s))
        is_far = self._answers >= _SURE and is_slow(self.round_trip_s)
        self.lag_s = away_s + (self.round_trip_s if is_far else 0.0)
        if frame.is_first:
            waited_s = max(0.0, elapsed_s - self.round_trip_s - (len(frame.ids) - 1) * service_s)
            self._others_s += _NEWEST * (waited_s - self._others_s)
        self.service_s, self._heard_at = service_s, now
        # Whether what is on its way was counted by the replica, nobody knows: where the way is short it was.
        self._free_at = now + max(feedback.wait_s, on_the_way * service_s)

    def cost_s(self, now: float, stage_s: float, bytes_each: float) -> float:
        """Seconds until one message more would be finished there, as far as can be known."""
        freshness = self._freshness(now)
        wait_s = max(0.0, self._free_at - now) + self._others_s * freshness
        away_s = self.round_trip_s / 2 if self.round_trip_s < math.inf else 0.0 if self.is_near else _AWAY_S
        if not self.is_near:
            away_s += bytes_each / _AWAY_BYTES_PER_S
        return wait_s + self._service(freshness, stage_s) + away_s

    def frames_ahead(self, messages: int) -> int:
        """Frames of so many messages that may be on their way to it."""
        return frames_ahead(self.lag_s, messages * self.service_s)

    def _service(self, freshness: float, stage_s: float) -> float:
        """Its time for a message: less of its own and more of its stage's, the longer nothing was heard of it."""
        usual_s = stage_s or _UNKNOWN_S
        return usual_s + (self.service_s - usual_s) * freshness if self.service_s else usual_s

    def _freshness(self, now: float) -> float:
        return max(0.0, 1.0 - (now - self._heard_at) / _FADE_S)
