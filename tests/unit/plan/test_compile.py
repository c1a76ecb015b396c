"""How many replicas a stage gets, and why."""

from __future__ import annotations

import penguiray as pr
from penguiray.plan.compile import compile_plan
from penguiray.plan.plan import Plan


@pr.node
def work(x: int) -> int:
    return x


@pr.node
async def wait(x: int) -> int:
    return x


def planned(node: pr.Node[int, int], *, cpus: int = 16, **totals: float) -> Plan:
    return compile_plan(pr.Flow(node).spec, cpus=cpus, totals={"CPU": cpus, **totals})


def test_cpus_are_shared_among_the_stages_that_use_them() -> None:
    flow = pr.Flow(work >> wait >> work.options(name="second"))
    assert [stage.replicas for stage in compile_plan(flow.spec, cpus=8).stages] == [4, 1, 4]
    assert [stage.replicas for stage in compile_plan(flow.spec, cpus=1).stages] == [1, 1, 1]


def test_no_more_replicas_are_chosen_than_the_cluster_can_hold() -> None:
    assert planned(work.options(num_cpus=2), cpus=4).stages[0].replicas == 2
    plan = planned(work.options(num_gpus=0.25, replicas=(1, 8)), GPU=1.0)
    assert plan.stages[0].replicas == 4
    assert any("enough for no more" in decision.reason for decision in plan.decisions)


def test_what_the_user_fixed_is_not_made_less() -> None:
    assert planned(work.options(num_gpus=1, replicas=2), GPU=1.0).stages[0].replicas == 2
    assert planned(work.options(num_gpus=1, replicas=(3, 8)), GPU=1.0).stages[0].replicas == 3


def test_a_plan_speaks_of_one_in_the_singular() -> None:
    lines = str(planned(work.options(replicas=1))).splitlines()
    assert lines[0] == "flow 'flow': 1 stage"
    assert lines[1:] == ["  work: 1 x 1 call at a time -> caller", "  work: 1 replica, because the node says so"]
