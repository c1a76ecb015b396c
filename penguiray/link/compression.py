"""Whether what goes to another host is compressed: where it gets there sooner that way. Pure.

    sent --[ 1/C compress ]--[ 1/(r B) on its way ]--[ 1/D decompress ]--> there        instead of        1/B

B is measured with each large frame, the ratio r and the speeds C and D with a sample now and then. In a quick network,
or for numbers that have no pattern, nothing is compressed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

__all__ = ["LEAST_BYTES", "Codec", "Compression", "Trial"]

Codec = Literal["lz4", "zstd"]
"""What can be chosen. lz4 is quick, zstd makes less of what repeats itself."""

LEAST_BYTES = 256 * 1024
"""Frames below this are left as they are: what they take on their way is not the bytes."""
_EACH = 64
"""One frame in so many is tried. More follows payloads that change, and costs more."""
_NEWEST = 0.25
"""Weight of the newest frame in the speed of the way."""
_SURE = 4
"""Frames after which the speed of the way counts."""
_QUICK_BYTES_PER_S = 500e6
"""A way that is quicker is left alone, and nothing is tried: hardly a codec is so quick on one core."""
_WORTH, _STILL_WORTH = 1.1, 1.0
"""How many times as quick it has to be for something to be compressed, and for that to go on."""


class Trial(NamedTuple):
    """What a codec made of a sample."""

    ratio: float
    """Bytes before, for one after."""
    compress_bytes_per_s: float
    """Of those before."""
    decompress_bytes_per_s: float
    """Of those before, too."""

    def gain(self, way_bytes_per_s: float) -> float:
        """How many times as quick a frame is there as without."""
        way = 1 / way_bytes_per_s
        return way / (1 / self.compress_bytes_per_s + way / self.ratio + 1 / self.decompress_bytes_per_s)


class Compression:
    """What is known of one way, and what follows from it."""

    __slots__ = ("_arrived_at", "_heard", "_large", "_wish", "codec", "way_bytes_per_s")

    def __init__(self, wish: Codec | Literal["auto"] | None) -> None:
        """Nothing is known; `wish` is a codec, or None for nothing, or `auto`."""
        self._wish = wish
        self._large = self._heard = 0
        self._arrived_at = 0.0
        self.codec: Codec | None = None if wish == "auto" else wish
        """How large frames are compressed now."""
        self.way_bytes_per_s = 0.0
        """How quickly bytes get there; 0 while unknown."""

    def wants_trial(self) -> bool:
        """A large frame is about to be sent: whether to try the codecs with it."""
        if self._wish != "auto" or self._heard < _SURE:
            return False
        if self.way_bytes_per_s > _QUICK_BYTES_PER_S:
            self.codec = None
            return False
        self._large += 1
        return self._large % _EACH == 1

    def take_trials(self, trials: Mapping[Codec, Trial]) -> None:
        """Choose by what the codecs made of a sample."""
        gains: dict[Codec, float] = {codec: trial.gain(self.way_bytes_per_s) for codec, trial in trials.items()}
        best: Codec = max(gains, key=lambda codec: gains[codec])
        if gains[best] > _WORTH:
            self.codec = best
        elif self.codec is not None and gains[self.codec] < _STILL_WORTH:
            self.codec = None

    def note_arrived(self, nbytes: int, sent_at: float, arrived_at: float) -> None:
        """A large frame got there: when it was sent and when it came, in seconds of one clock.

        It was on its way since the one before it came, if that was later than it was sent.
        """
        took_s = arrived_at - max(sent_at, self._arrived_at)
        self._arrived_at = max(self._arrived_at, arrived_at)
        if took_s > 0:
            speed = nbytes / took_s
            self.way_bytes_per_s += (speed - self.way_bytes_per_s) * (_NEWEST if self._heard else 1.0)
            self._heard += 1
