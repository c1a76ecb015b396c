"""What Ray is told so that a replica is put on another host, if one has room."""

from __future__ import annotations

from penguiray.actors.pool import _elsewhere


def test_a_host_is_avoided_beside_what_the_node_asks_for_and_taken_where_no_other_one_fits() -> None:
    asked = {"num_cpus": 1.0, "label_selector": {"zone": "a"}}
    assert _elsewhere(asked, "") is asked
    assert _elsewhere(asked, "abc") == {
        "num_cpus": 1.0,
        "memory": 1,
        "label_selector": {"zone": "a", "ray.io/node-id": "!abc"},
        "fallback_strategy": [{"label_selector": {"zone": "a"}}],
    }
    assert _elsewhere({"memory": 5}, "abc")["memory"] == 5
