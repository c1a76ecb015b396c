"""How long a replica holds on to a process that it does not hear from. Pure.

Replicas are detached actors, so Ray does not end them with the process that made them; the lease does. A process that
attached has one too.
"""

from __future__ import annotations

__all__ = ["LEASE_S", "LOOK_S", "RENEW_S", "Lease"]

LEASE_S = 20.0
"""Silence that ends a lease. Longer forgives a stalled process, shorter frees resources sooner."""
RENEW_S = 1.0
"""How often it is renewed; the answer is a sign of life."""
LOOK_S = 1.0
"""How often a replica looks at its leases, and the most that counts as silence between two looks."""


class Lease:
    """The time that a process still has. May be renewed from any thread; one thread looks.

    A replica that stood still (paused, starved by others on its host, or its interpreter held by a long call into C)
    could not hear anybody. What is missing are looks then, too, so of the time between two of them only `LOOK_S`
    counts: a lease ends after `LEASE_S` on an idle host, and after some 20 looks on any.
    """

    __slots__ = ("_deaf_s", "_heard", "_looked", "_until")

    def __init__(self, now: float) -> None:
        self._deaf_s = 0.0
        self._looked = now
        self.renew(now)

    def renew(self, now: float) -> None:
        """The process was heard of."""
        self._heard = now
        self._until = now - self._deaf_s + LEASE_S

    def silent_s(self, now: float) -> float:
        """Seconds since the process was heard of."""
        return now - self._heard

    def rest_s(self, now: float) -> float:
        """Look: seconds left; 0 or less if the lease has ended. To be called every `LOOK_S`."""
        self._deaf_s += max(0.0, now - self._looked - LOOK_S)
        self._looked = now
        return self._until + self._deaf_s - now
