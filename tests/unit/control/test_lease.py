"""A replica holds on to a silent process for its lease and no longer; a standstill of its own is no silence."""

from __future__ import annotations

from itertools import accumulate, repeat

from penguiray.control.lease import LEASE_S, LOOK_S, Lease

LOOKS = int(LEASE_S / LOOK_S)


def looks_until_its_end(lease: Lease, began: float, every_s: float) -> int:
    """How many looks an unheard process survives, if a look comes every so many seconds."""
    times = accumulate(repeat(every_s), initial=began)
    next(times)
    return next(count for count, now in enumerate(times) if lease.rest_s(now) <= 0)


def test_a_lease_that_is_not_renewed_ends_after_its_time() -> None:
    lease = Lease(now=100.0)
    seconds = [100.0 + second for second in range(LOOKS + 1)]
    assert [lease.rest_s(now) > 0 for now in seconds] == [True] * LOOKS + [False]


def test_a_renewal_gives_the_whole_time_again() -> None:
    lease = Lease(now=0.0)
    for now in range(1, 100):
        lease.renew(float(now))
        assert lease.rest_s(float(now)) == LEASE_S


def test_of_a_standstill_only_one_look_counts_as_silence() -> None:
    lease = Lease(now=0.0)
    assert lease.rest_s(10 * LEASE_S) == LEASE_S - LOOK_S
    assert lease.rest_s(10 * LEASE_S + 1.0) == LEASE_S - LOOK_S - 1.0
    assert lease.silent_s(10 * LEASE_S) == 10 * LEASE_S


def test_a_renewal_after_a_standstill_gives_the_whole_time_and_no_more() -> None:
    lease = Lease(now=0.0)
    lease.rest_s(10 * LEASE_S)
    lease.renew(10 * LEASE_S + 0.5)
    assert lease.rest_s(10 * LEASE_S + 1.0) == LEASE_S - 0.5


def test_a_starved_replica_gives_a_lease_as_many_looks_as_an_idle_one() -> None:
    assert looks_until_its_end(Lease(now=0.0), 0.0, LOOK_S) == LOOKS - 1
    assert looks_until_its_end(Lease(now=0.0), 0.0, 2.9) == LOOKS - 1
    assert looks_until_its_end(Lease(now=7.0), 7.0, 60.0) == LOOKS - 1


def test_looking_more_often_changes_nothing() -> None:
    lease = Lease(now=0.0)
    assert [lease.rest_s(now / 4) for now in range(1, 81)] == [LEASE_S - now / 4 for now in range(1, 81)]
