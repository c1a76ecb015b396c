"""A replica that waits for its place says what it needs, what there is, and whether waiting can help."""

from __future__ import annotations

import pytest

import penguiray as pr
from penguiray.control.placement import Host, why_not_placed
from penguiray.plan.needs import needs_of

SMALL = Host("small", {"CPU": 2.0}, {"CPU": 0.5}, {"zone": "a"})
LARGE = Host("large", {"CPU": 8.0, "GPU": 1.0}, {"CPU": 8.0, "GPU": 0.0}, {"zone": "b"})


@pr.node
def work(x: int) -> int:
    return x


def test_only_what_is_asked_for_is_needed() -> None:
    assert needs_of(work.spec) == {}
    asked = work.options(num_cpus=2, num_gpus=0.5, memory=100, resources={"licence": 1})
    assert needs_of(asked.spec) == {"CPU": 2.0, "GPU": 0.5, "memory": 100.0, "licence": 1}


@pytest.mark.parametrize(
    "node",
    [
        work,
        work.options(num_cpus=8),
        work.options(num_cpus=0.5),
        work.options(num_cpus=4, label_selector={"zone": "b"}),
    ],
)
def test_what_a_host_has_room_for_is_not_explained(node: pr.Node[int, int]) -> None:
    assert why_not_placed(node.spec, [SMALL, LARGE]) is None


def test_what_no_host_has_can_never_be_placed() -> None:
    found = why_not_placed(work.options(num_cpus=16).spec, [SMALL, LARGE])
    assert found is not None
    can_be, why = found
    assert not can_be
    assert "node 'work' needs CPU 16 on one host; the most that any of 2 hosts has is CPU 8" in why


def test_labels_that_no_able_host_has_are_named_with_those_there_are() -> None:
    found = why_not_placed(work.options(num_cpus=4, label_selector={"zone": "a"}).spec, [SMALL, LARGE])
    assert found is not None
    can_be, why = found
    assert not can_be
    assert "label zone=a" in why
    assert "there are: zone=b" in why


def test_what_others_hold_is_waited_for_and_said() -> None:
    found = why_not_placed(work.options(num_gpus=1).spec, [SMALL, LARGE])
    assert found is not None
    can_be, why = found
    assert can_be
    assert "waits for GPU 1; large has GPU 0 of 1 free" in why
    assert why.endswith("is held by other actors and tasks: end some, or ask for less")
    found = why_not_placed(work.options(num_gpus=1).spec, [SMALL, LARGE], ["index", "nightly"])
    assert found is not None
    assert found[1].endswith("tasks, among them those of 'index', 'nightly': end some, or ask for less")


def test_where_nothing_is_known_to_be_free_only_totals_are_said() -> None:
    unknown = Host("large", LARGE.total, None, LARGE.labels)
    found = why_not_placed(work.options(num_gpus=1).spec, [unknown])
    assert found is not None
    assert found[0]
    assert "large has GPU 1 in all" in found[1]


def test_operators_of_ray_in_a_selector_are_left_to_ray() -> None:
    assert why_not_placed(work.options(label_selector={"zone": "!in(a)"}).spec, [SMALL]) is None
