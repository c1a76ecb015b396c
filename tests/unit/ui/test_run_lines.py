"""The runs of a cluster for people and for programs."""

from __future__ import annotations

import json

from penguiray.observe.card import RunCard
from penguiray.ui.runs import run_lines, runs_as_json

CARDS = [
    RunCard("index-2", "index", "host-a", 12345, 0.0, 1, (("split", 2), ("embed+rate", 4))),
    RunCard(None, "words", "b", 7, 0.0, 2, (("count", 1),)),
]


def test_each_run_has_its_line_under_a_heading() -> None:
    since = CARDS[0].started
    assert list(run_lines(CARDS, ["late"])) == [
        f"name     flow   host    pid    {'since':<{len(since)}}  replicas",
        f"index-2  index  host-a  12345  {since}  split x2, embed+rate x4",
        f"-        words  b       7      {since}  count x1",
        "late: does not answer; its first replica waits for its place, or its host stands still",
    ]
    assert list(run_lines([], [])) == ["no runs"]


def test_json_has_the_same_and_only_the_name_of_what_does_not_answer() -> None:
    first, second, late = json.loads(runs_as_json(CARDS, ["late"]))
    assert first == {
        "name": "index-2",
        "flow": "index",
        "host": "host-a",
        "pid": 12345,
        "since": CARDS[0].started,
        "stages": [{"name": "split", "replicas": 2}, {"name": "embed+rate", "replicas": 4}],
    }
    assert (second["name"], late["name"], late["pid"]) == (None, "late", None)
