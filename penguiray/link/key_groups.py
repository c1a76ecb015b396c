"""Which replica gets a key: keys are put in groups, and each group chooses its replica by the highest weight. Pure.

A group weighs every replica by a hash of both. So each process finds the same replica without asking anybody, and
where replicas are added or taken away only the groups of those move: a share of 1/n of the keys, and not nearly all
of them, as with a remainder.

Source: D. G. Thaler and C. V. Ravishankar, Using name-based mappings to increase hit rates, 1998.
"""

from __future__ import annotations

import functools

__all__ = ["GROUPS", "group_of", "replica_of"]

GROUPS = 4_096
"""Groups of keys, for ever: two processes that differ in it would send one key to two replicas. So many that 8 replicas
have within a tenth of the same number of them, and 32 within a third; with 256 one of 32 would have twice its share."""

_MASK = (1 << 64) - 1


def group_of(key: int) -> int:
    """Group of a key, by its hash."""
    return key % GROUPS


@functools.lru_cache(maxsize=16 * GROUPS)
def replica_of(group: int, replicas: int) -> int:
    """Number of the replica, of so many, that gets the keys of a group."""
    seed = _mixed(group)
    return max(range(replicas), key=lambda replica: _mixed(seed ^ replica))


def _mixed(number: int) -> int:
    """64 bits of which each depends on all those of a number. Source: splitmix64, by S. Vigna, in the public domain."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)
