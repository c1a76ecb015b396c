"""The choice among replicas: the better one of two that are drawn, and of one on this host. Pure.

To look at all of them would not be better: what a sender knows of the others' work is some moments old, and if all
senders took the one that looks best they would meet there. Two draws are nearly as good as perfect news, and cost the
same for two replicas as for a thousand.

Source: M. Mitzenmacher, The power of two choices in randomized load balancing, 1996.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["better_of_two"]

T = TypeVar("T")


def better_of_two(
    all_of_them: Sequence[T],
    near: Sequence[T],
    rng: random.Random,
    *,
    may: Callable[[T], bool],
    cost: Callable[[T], float],
) -> T | None:
    """The cheapest of two that are drawn from all and one from the near ones; None if none may be taken.

    Args:
        all_of_them: At least two.
        near: Those on this host; empty if that makes no difference.
        rng: Draws.
        may: Whether one may be taken. A draw goes on to the next one that may.
        cost: What is compared; among equals the first one that was drawn is taken.
    """
    count = len(all_of_them)
    first = int(rng.random() * count)
    one = _next(all_of_them, first, may)
    if one is None:
        return None
    other = _next(all_of_them, first + 1 + int(rng.random() * (count - 1)), may)
    best, least = one, None
    for rival in (other, _next(near, int(rng.random() * len(near)), may) if near else None):
        if rival is not None and rival is not best:
            least = cost(best) if least is None else least
            rivals = cost(rival)
            if rivals < least:
                best, least = rival, rivals
    return best


def _next(ring: Sequence[T], start: int, may: Callable[[T], bool]) -> T | None:
    """The first one that may be taken, from a place on, once round."""
    count = len(ring)
    for place in range(start, start + count):
        one = ring[place % count]
        if may(one):
            return one
    return None
