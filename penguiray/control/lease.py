"""How long a replica lives without hearing from its owner. Pure.

Replicas are detached actors, so Ray does not end them with the process that made them; the lease does.
"""

from __future__ import annotations

__all__ = ["LEASE_S", "RENEW_S", "Lease"]

LEASE_S = 20.0
"""Silence after which a replica ends itself. Longer forgives a stalled owner, shorter frees resources sooner."""
RENEW_S = 2.0
"""How often the owner renews."""


STALL_S = 3.0
"""A pause between two looks at the lease that means that this process itself stood still."""


class Lease:
    """The time that a replica still has."""

    __slots__ = ("_heard", "_looked", "_until")

    def __init__(self, now: float) -> None:
        self._until = now + LEASE_S
        self._heard = self._looked = now

    def renew(self, now: float) -> None:
        """The owner was heard of."""
        self._until = now + LEASE_S
        self._heard = now

    def silent_s(self, now: float) -> float:
        """Seconds since the owner was heard of."""
        return now - self._heard

    def rest_s(self, now: float) -> float:
        """Seconds left; 0 or less: the lease has expired. To be asked every second or so.

        A process that stood still (paused, or its interpreter held by a long call into C) could not hear its owner
        either: half a lease is added for the renewals that wait to be heard.
        """
        if now - self._looked > STALL_S:
            self._until = max(self._until, now + LEASE_S / 2)
        self._looked = now
        return self._until - now
