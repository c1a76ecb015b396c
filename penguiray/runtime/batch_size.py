"""How many messages a call is quickest with: found by additive increase and multiplicative decrease. Pure.

Two sizes are compared at a time, by what a message costs in calls of either:

    lower ---- upper    10 % more messages make one cheaper by 0.5 % or more:  upper becomes lower, and upper grows
    lower ---- upper    they save less, or it becomes dearer:                  lower becomes upper, 1/8 or 1/2 smaller

Far from the best size, where they save 1.5 %, upper doubles, so that a thousand is found in some thirty calls. Then it
grows by a step, an eighth of where it stopped to double. Once growing further is not worth while the size rests, and is
looked at again from time to time, since costs change.

With a fixed cost `a` of a call and a cost `b` of a message that ends at about 19 a / b, where 95 % of the highest
throughput is reached. A call is to take no longer than a second even where more would be cheaper, since answers
wait for the whole batch; or, where one message alone takes long, than twice what that takes; and never longer than half
of the node's `timeout_s`.

Source: D. Crankshaw and others, "Clipper: A Low-Latency Online Prediction Serving System", NSDI 2017, section 4.3.1,
for additive increase and multiplicative decrease of batches; here on throughput, and only on evidence.
"""

from __future__ import annotations

import math

from penguiray.runtime.call_time import SizeTime
from penguiray.runtime.out_of_memory import MemoryCeiling

__all__ = ["LONGEST_CALL_S", "MOST_MESSAGES", "BatchSize"]

MOST_MESSAGES = 4_096
"""Most messages in one call. A larger batch hardly gains, and holds much memory."""
LONGEST_CALL_S = 1.0
"""A size is not grown to where a call would take longer, in seconds. Smaller answers sooner, with more calls."""
SLOWER_THAN_ALONE = 2.0
"""Nor to where an answer would take longer than so many times what it takes alone, if that is more."""
SHARE_OF_TIMEOUT = 0.5
"""Nor ever to where a call would take more than this of the node's `timeout_s`: some take longer than most."""

_WORTH = 0.05
"""Share by which the throughput must grow, of that by which the size grows, for more to be worth while."""
_FAR = 3 * _WORTH
"""Where it grows by this share, a double size is worth while too, if each call and each message have their price."""
_CALLS = 3
"""Calls of each size before they are compared: a median of three bears one that was held up."""
_MOST_CALLS = 32
"""Calls of each size after which it is settled that the difference cannot be told from chance."""
_REST_CALLS = 32
"""Calls at a size that was found good before it is compared again. Fewer follow a change sooner, and try more."""
_ROOM = 0.9
"""Share of the longest time that is aimed at, so that calls which differ a little stay within it."""
_OVERRUNS = 4
"""The size shrinks once so many more calls took too long than did not; one may just have been held up."""


class BatchSize:
    """The size of the next batch, from what calls took."""

    __slots__ = ("_ceiling", "_is_rising", "_limit_s", "_lower", "_overruns", "_rest", "_single", "_step", "_upper")

    def __init__(self, most: int = MOST_MESSAGES, timeout_s: float | None = None) -> None:
        """Begin with single messages.

        Args:
            most: Most messages in a call.
            timeout_s: Time after which a call is given up; None: never.
        """
        self._limit_s = math.inf if timeout_s is None else SHARE_OF_TIMEOUT * timeout_s
        self._single = SizeTime(1)
        self._ceiling = MemoryCeiling(most)
        self._step = 1
        self._rest = self._overruns = 0
        self._is_rising = False
        self._lower: SizeTime | None = None
        self._upper = SizeTime(1)

    @property
    def size(self) -> int:
        """Most messages for the next call."""
        lower = self._lower
        is_lower_due = lower is not None and not self._rest and lower.calls < self._upper.calls
        return lower.size if lower is not None and is_lower_due else self._upper.size

    @property
    def longest_s(self) -> float:
        """What a call may take, in seconds."""
        alone_s = self._single.each_s if self._single.calls else 0.0
        return min(self._limit_s, max(LONGEST_CALL_S, SLOWER_THAN_ALONE * alone_s))

    def note(self, size: int, seconds: float) -> None:
        """A call with so many messages took so long, and went well."""
        self._ceiling.note_call()
        if size == 1:
            self._single.note(seconds)
        if self._is_overrun(size, seconds):
            self._settle(int(size * max(0.5, _ROOM * self.longest_s / seconds)))
        elif self._rest:
            self._rest -= 1
        else:
            for one in (self._lower, self._upper):
                if one is not None and one.size == size:
                    one.note(seconds)
            self._compare()

    def note_out_of_memory(self, size: int) -> None:
        """Memory ran out in a call with so many messages: take half, and do not come near that size for long."""
        self._ceiling.note_out_of_memory(size)
        self._settle(size // 2)

    def note_cut_off(self, size: int) -> None:
        """A call with so many messages was ended because it took too long: take half."""
        self._settle(size // 2)

    def _is_overrun(self, size: int, seconds: float) -> bool:
        is_late = size > 1 and seconds > self.longest_s
        self._overruns = max(0, self._overruns + (1 if is_late else -1))
        return self._overruns >= _OVERRUNS

    def _settle(self, size: int) -> None:
        """Stay at a size that is no larger than the present one; after a rest it is compared with a smaller one."""
        size = max(1, min(size, self.size))
        self._step = max(1, size // 8)
        self._upper = SizeTime(size)
        self._lower = SizeTime(size - self._step) if size > 1 else None
        self._rest, self._overruns, self._is_rising = _REST_CALLS, 0, False

    def _compare(self) -> None:
        """Move once it is clear where to; with much chance in the times that takes more calls."""
        lower, upper = self._lower, self._upper
        if upper.calls < _CALLS:
            return
        if lower is None:
            self._rise(math.inf)
            return
        if lower.calls < _CALLS:
            return
        growth = math.log(upper.size / lower.size)
        gain = math.log(lower.each_s / upper.each_s) / growth
        doubt = 2.0 * math.hypot(lower.error, upper.error) / growth
        if gain - doubt >= _WORTH:
            self._rise(gain)
        elif gain + doubt < _WORTH:
            self._fall(lower)
        elif min(lower.calls, upper.calls) >= _MOST_CALLS:
            self._settle(upper.size)

    def _rise(self, gain: float) -> None:
        """Try more, as far as time and memory allow."""
        now = self._upper.size
        wanted = now + self._step
        if gain >= _FAR and 2 * now <= self._ceiling.size:
            wanted = 2 * now
            self._step = max(1, wanted // 8)
        wanted = min(wanted, self._ceiling.size, self._most_in_time())
        if wanted < now + max(1, now // 16):
            self._settle(now)
            return
        self._lower, self._upper, self._is_rising = self._upper, SizeTime(wanted), True

    def _fall(self, lower: SizeTime) -> None:
        """Take less. Where the last move was up, what is below was compared already, and `lower` is the best."""
        if self._is_rising:
            self._settle(lower.size)
            return
        self._step = max(1, lower.size // 8)
        self._upper = lower
        self._lower = SizeTime(lower.size - self._step) if lower.size > 1 else None

    def _most_in_time(self) -> int:
        """The size at which a call would take as long as it may, on the line through both sizes."""
        lower, upper = self._lower, self._upper
        left_s = _ROOM * self.longest_s - upper.each_s * upper.size
        if left_s <= 0.0:
            return upper.size
        more_s = 0.0 if lower is None else upper.each_s * upper.size - lower.each_s * lower.size
        if lower is None or more_s <= 0.0:
            return self._ceiling.size
        return upper.size + int(left_s * (upper.size - lower.size) / more_s)
