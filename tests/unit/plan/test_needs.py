"""What Ray is told of a replica: what it reserves, and where it is to live."""

from __future__ import annotations

from typing import Any

import penguiray as pr
from penguiray.plan.needs import wishes_of


@pr.node
def same(x: int) -> int:
    return x


def wishes(avoided: str = "", **options: Any) -> dict[str, Any]:
    return wishes_of(same.options(**options).spec, avoided=avoided)


def test_nothing_is_reserved_that_was_not_asked_for() -> None:
    assert wishes() == {"num_cpus": 0.0, "num_gpus": 0.0}


def test_what_was_asked_for_is_told_in_rays_words() -> None:
    asked: dict[str, Any] = {
        "num_cpus": 2,
        "num_gpus": 0.5,
        "memory": 10,
        "resources": {"tpu": 1},
        "label_selector": {"zone": "a"},
    }
    assert wishes(**asked, runtime_env={"env_vars": {"A": "1"}}) == {
        **asked, "runtime_env": {"env_vars": {"A": "1"}},
    }  # fmt: skip


def test_a_host_is_avoided_beside_what_the_node_asks_for_and_taken_where_no_other_one_fits() -> None:
    assert wishes("abc", num_cpus=1, label_selector={"zone": "a"}) == {
        "num_cpus": 1.0,
        "num_gpus": 0.0,
        "memory": 1,
        "label_selector": {"zone": "a", "ray.io/node-id": "!abc"},
        "fallback_strategy": [{"label_selector": {"zone": "a"}}],
    }
    assert wishes("abc", memory=5)["memory"] == 5
