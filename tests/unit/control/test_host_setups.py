"""One replica of a stage sets its host up; the others of that host wait for it, and nobody else does."""

from __future__ import annotations

from penguiray.control.host_setup import HostSetups
from penguiray.link.frame import LinkId

FIRST, SECOND, THIRD, FAR, OTHER = LinkId(0, 0), LinkId(0, 1), LinkId(0, 2), LinkId(0, 3), LinkId(1, 0)


def test_each_host_is_set_up_once_by_each_stage_and_its_replicas_are_built_after_that() -> None:
    hosts = HostSetups()
    assert hosts.placed(SECOND, "a") == "set up"
    assert hosts.placed(FIRST, "a") == "wait"
    assert hosts.placed(FAR, "b") == "set up"
    assert hosts.placed(OTHER, "a") == "set up"
    assert hosts.is_set_up(SECOND) == [SECOND, FIRST]
    assert hosts.placed(THIRD, "a") == "build"
    assert hosts.is_set_up(FAR) == [FAR]
    assert hosts.is_set_up(OTHER) == [OTHER]


def test_who_is_lost_while_it_sets_its_host_up_leaves_that_to_the_next() -> None:
    hosts = HostSetups()
    assert [hosts.placed(one, "a") for one in (FIRST, SECOND, THIRD)] == ["set up", "wait", "wait"]
    assert hosts.lose(THIRD) is None
    assert hosts.lose(FIRST) == SECOND
    assert hosts.is_set_up(SECOND) == [SECOND]
    assert hosts.placed(FIRST, "a") == "build"
    assert hosts.lose(FIRST) is None
    for _ in range(2):
        assert hosts.placed(FIRST, "b") == "set up"
        assert hosts.lose(FIRST) is None
