"""What a notebook shows for flows, nodes, graphs, explanations and dead letters."""

from __future__ import annotations

from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

import penguiray as pr
from penguiray.link.report import NodeCount
from penguiray.observe.status import status_of


@pr.node
def first(x: int) -> int:
    return x


@pr.node(retry=pr.Retry())
def second(x: int) -> int:
    return x


odd = first.options(name="<script>")
flow = pr.Flow(odd >> second, name="<b>flow")
counts = {"<script>": NodeCount(1_000, 1_000, 0, 0, busy_s=1.0), "second": NodeCount(1_000, 990, 10, 3, busy_s=1.0)}
status = status_of(
    flow.plan(), counts, state="running", seconds=2, inputs_live=1, inputs_done=2, dead_letters=10, longest_s={}
)


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


def letter(value: object) -> pr.DeadLetter:
    return pr.DeadLetter("<script>", value, pr.NodeError("failed", node="<script>"), "ab12")


SHOWN = {
    "flow": flow,
    "graph": odd >> second,
    "node": odd,
    "status": status,
    "explanation": flow.explain(),
    "letter": letter("<script>"),
    "error": pr.NodeError("<script>", node="<script>"),
}


class Tags(HTMLParser):
    """Which tags are open, and which were met."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.met: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        self.met.add(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.met.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", SHOWN)
def test_views_are_well_formed_and_a_node_named_script_stays_text(name: str) -> None:
    html = SHOWN[name]._repr_html_()  # type: ignore[attr-defined]  # all of them have it
    tags = Tags()
    tags.feed(html)
    tags.close()
    assert tags.open == []
    assert not tags.met & {"script", "style"}
    assert "<script>" in "".join(ET.fromstring(f"<div>{html}</div>").itertext())


def test_a_flow_shows_fused_nodes_in_a_frame_and_a_graph_does_not() -> None:
    assert "one stage" in flow._repr_html_()
    assert "one stage" in flow.to_svg()
    assert "one stage" not in (odd >> second)._repr_html_()
    assert "graph of 2 nodes" in (odd >> second)._repr_html_()
    assert f"node second from {second.spec.where}" in second._repr_html_()


def test_an_svg_file_stands_alone() -> None:
    assert ET.fromstring(flow.to_svg()).tag.endswith("svg")
    assert flow.to_svg() == flow.to_svg()
    assert "<b>flow" not in flow.to_svg()


def test_a_status_is_a_table_of_nodes() -> None:
    root = ET.fromstring(f"<div>{status._repr_html_()}</div>")
    rows = [[cell.text for cell in row] for row in root.iter("tr")]
    assert rows[0] == ["node", "replicas", "in", "out", "failed", "retried", "hedged", "in/s", "busy", "longest"]
    assert rows[2] == ["second", "1", "1,000", "990", "10", "3", "0", "500.0", "50%", "0.0 s"]


def test_an_explanation_is_one_table_that_says_who_chose() -> None:
    root = ET.fromstring(f"<div>{flow.explain(cpus=3)._repr_html_()}</div>")
    rows = [[cell.text or "" for cell in row] for row in root.iter("tr")]
    assert ["retries", "<script>", "never", "penguiray"] in [row[:4] for row in rows]
    assert ["", "second", "up to 3 attempts on Exception", "you"] in [row[:4] for row in rows]
    assert {row[0] for row in rows} >= {"stages", "fusion", "replicas", "types", "delivery", "order", "limits"}


def test_a_dead_letter_shows_the_message_even_if_its_repr_raises() -> None:
    assert "&#x27;what&#x27;" in letter("what")._repr_html_()
    assert "a Unshowable whose repr raises" in letter(Unshowable())._repr_html_()
