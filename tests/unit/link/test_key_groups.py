"""Keys are spread evenly, alike in every process, and move only where they must."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penguiray.graph.values import key_hash
from penguiray.link.key_groups import GROUPS, group_of, replica_of


def table(replicas: int) -> list[int]:
    return [replica_of(group, replicas) for group in range(GROUPS)]


@given(key=st.integers(0, 2**63 - 1), replicas=st.integers(1, 200))
def test_a_key_always_has_the_same_one_of_the_replicas(key: int, replicas: int) -> None:
    assert 0 <= group_of(key) < GROUPS
    assert 0 <= replica_of(group_of(key), replicas) < replicas
    assert replica_of(group_of(key), replicas) == replica_of.__wrapped__(group_of(key), replicas)


def test_every_process_finds_the_same_replica() -> None:
    """A table that changed would send the keys of a flow under way to two replicas: it is pinned."""
    assert [group_of(key) for key in (0, 4_095, 4_096, 2**63 - 1)] == [0, 4_095, 0, 4_095]
    assert [replica_of(group, 5) for group in range(12)] == [2, 1, 1, 1, 1, 0, 4, 0, 4, 4, 1, 3]
    code = "from penguiray.link.key_groups import replica_of; print([replica_of(group, 7) for group in range(100)])"
    seen = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert seen.stdout.strip() == str([replica_of(group, 7) for group in range(100)])


@pytest.mark.parametrize("replicas", range(1, 33))
def test_a_replica_more_takes_its_share_of_the_groups_and_no_other_group_moves(replicas: int) -> None:
    before, after = table(replicas), table(replicas + 1)
    moved = [group for group in range(GROUPS) if before[group] != after[group]]
    assert {after[group] for group in moved} == {replicas}
    assert len(moved) == Counter(after)[replicas]
    assert len(moved) < 1.25 * GROUPS / (replicas + 1)


@pytest.mark.parametrize(("replicas", "most"), [(1, 1.0), (2, 1.05), (3, 1.1), (8, 1.1), (16, 1.2), (32, 1.25)])
def test_replicas_have_about_the_same_number_of_groups(replicas: int, most: float) -> None:
    counts = Counter(table(replicas))
    assert len(counts) == replicas
    assert max(counts.values()) <= most * GROUPS / replicas


def test_keys_that_follow_each_other_are_spread_evenly() -> None:
    counts = Counter(replica_of(group_of(key_hash(f"user-{number}")), 8) for number in range(40_000))
    assert max(counts.values()) < 1.12 * 40_000 / 8
    assert min(counts.values()) > 0.88 * 40_000 / 8
