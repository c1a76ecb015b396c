"""A replica outlives a silent owner by its lease and no longer."""

from __future__ import annotations

from penguiray.control.lease import LEASE_S, STALL_S, Lease


def test_a_lease_that_is_not_renewed_runs_out_after_its_time() -> None:
    lease = Lease(now=100.0)
    seconds = [100.0 + second for second in range(int(LEASE_S) + 1)]
    assert [lease.rest_s(now) > 0 for now in seconds] == [True] * int(LEASE_S) + [False]


def test_a_renewal_gives_the_whole_time_again() -> None:
    lease = Lease(now=0.0)
    for now in range(1, 100):
        lease.renew(float(now))
        assert lease.rest_s(float(now)) == LEASE_S


def test_a_process_that_stood_still_waits_for_the_renewals_that_it_could_not_hear() -> None:
    lease = Lease(now=0.0)
    paused_until = LEASE_S * 10
    assert lease.rest_s(paused_until) == LEASE_S / 2
    steps = [paused_until + step for step in range(1, int(LEASE_S / 2) + 1)]
    assert [lease.rest_s(now) > 0 for now in steps][-2:] == [True, False]


def test_looking_every_second_is_no_pause() -> None:
    assert STALL_S > 1.0
    lease = Lease(now=0.0)
    rests = [lease.rest_s(float(now)) for now in range(int(LEASE_S) + 5)]
    assert rests == sorted(rests, reverse=True)
