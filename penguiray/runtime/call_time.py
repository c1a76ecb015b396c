"""What calls with batches took: a prediction for any size, and what one message costs in calls of one size. Pure."""

from __future__ import annotations

import math
import statistics
from collections import deque

__all__ = ["CallTime", "SizeTime"]

_FORGET = 0.95
"""Weight of a call for each one after it: some 20 calls decide, so that a change is believed soon."""
_SPREAD = 0.05
"""Sizes that differ by less than this share of their mean say nothing about what one more message costs."""
_TICK_S = 1e-6
"""Shorter calls cannot be told apart: a clock that stands still must not make a call infinitely quick."""
_MOST_SAMPLES = 32
"""Calls of one size that are remembered."""
_ERROR_OF_MEDIAN = 1.2533 * 1.4826
"""From the median absolute deviation to the standard error of a median, times the root of the number of samples."""


class CallTime:
    """Predicts what a call takes: a fixed part and a part for each message, by weighted least squares.

    While all calls had about the same size the two cannot be told apart. Then the time is taken to be in proportion to
    the size, so that a smaller batch is tried where time is short, and the next prediction knows better.
    """

    __slots__ = ("_n", "_s", "_x", "_xs", "_xx")

    def __init__(self) -> None:
        self._n = self._x = self._s = self._xx = self._xs = 0.0

    def note(self, size: int, seconds: float) -> None:
        """A call with so many messages took so long."""
        self._n = _FORGET * self._n + 1.0
        self._x = _FORGET * self._x + size
        self._s = _FORGET * self._s + seconds
        self._xx = _FORGET * self._xx + size * size
        self._xs = _FORGET * self._xs + size * seconds

    def seconds(self, size: int) -> float:
        """What a call with so many messages will take; 0 while none was noted."""
        if not self._n:
            return 0.0
        mean_size, mean_s = self._x / self._n, self._s / self._n
        variance = self._xx / self._n - mean_size**2
        if variance <= (_SPREAD * mean_size) ** 2:
            return mean_s * size / mean_size
        slope = (self._xs / self._n - mean_size * mean_s) / variance
        slope = min(max(slope, 0.0), mean_s / mean_size)  # neither part is negative
        return mean_s + slope * (size - mean_size)


class SizeTime:
    """What one message costs in calls of one size: the median over the newest calls, and how far it may be off."""

    __slots__ = ("_samples", "calls", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        """Messages in each of the calls."""
        self.calls = 0
        """Calls that were noted."""
        self._samples: deque[float] = deque(maxlen=_MOST_SAMPLES)

    def note(self, seconds: float) -> None:
        """One more call took so long."""
        self.calls += 1
        self._samples.append(max(seconds, _TICK_S) / self.size)

    @property
    def each_s(self) -> float:
        """Seconds for one message. A median: the first call of a model, or one that was held up, does not count."""
        return statistics.median(self._samples)

    @property
    def error(self) -> float:
        """Standard error of `each_s`, as a share of it."""
        middle = self.each_s
        deviation = statistics.median(abs(sample - middle) for sample in self._samples)
        return _ERROR_OF_MEDIAN * deviation / middle / math.sqrt(len(self._samples))
