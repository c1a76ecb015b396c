"""How long to wait before another attempt, and whether there may be one. Pure; randomness is passed in."""

from __future__ import annotations

import random

from penguiray.graph.policies import Retry

__all__ = ["RetryBudget", "pause_before"]


def pause_before(attempt: int, policy: Retry, rng: random.Random) -> float:
    """Seconds to wait before an attempt, from 2: drawn evenly from 0 to a bound that doubles (full jitter)."""
    doublings = min(attempt - 2, 64)
    return rng.uniform(0.0, min(policy.max_s, policy.initial_s * 2**doublings))


class RetryBudget:
    """Token bucket of one node in one replica: first attempts earn a share of a retry, a retry costs one.

    When most calls fail, retries are a small part of the load instead of a multiple of it.
    """

    __slots__ = ("_most", "_ratio", "tokens")

    def __init__(self, policy: Retry) -> None:
        self._ratio = policy.budget_ratio
        self._most = float(policy.budget_reserve)
        self.tokens = self._most
        """Retries that may be made now."""

    def earn(self, calls: int = 1) -> None:
        """Note first attempts."""
        self.tokens = min(self._most, self.tokens + calls * self._ratio)

    def spend(self) -> bool:
        """Take one retry if there is one."""
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True
