"""A message that takes the process down in C, among 63 others of its batch."""

from __future__ import annotations

import ctypes

import pytest

import penguiray as pr

BAD = 40


@pr.node(replicas=1, batch=pr.Batch(max_size=64, max_wait_s=0.2))
def read_memory(numbers: list[int]) -> list[int]:
    """Reads where there is nothing, for the bad one."""
    for number in numbers:
        if number == BAD:
            ctypes.string_at(0)
    return numbers


@pytest.mark.usefixtures("ray_cluster")
def test_a_message_that_segfaults_is_given_up_on_and_its_neighbours_in_the_batch_finish() -> None:
    with pr.Flow(read_memory).start() as run:
        found = list(run.map(range(64), on_error="yield", window=64))
        letters = run.dead_letters()
    assert sorted(result for result in found if isinstance(result, int)) == [*range(BAD), *range(BAD + 1, 64)]
    (error,) = (result for result in found if isinstance(result, pr.NodeError))
    assert error.index == BAD
    assert isinstance(error.__cause__, pr.ReplicaLost)
    assert [letter.node for letter in letters] == ["read_memory"]
