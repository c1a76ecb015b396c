"""What a graph looks like, as a diagram."""

from __future__ import annotations

from collections.abc import AsyncIterator

import penguiray as pr
from penguiray.draw.diagram import Arrow, Box
from penguiray.graph.picture import diagram_of


@pr.node
def first(x: int) -> str:
    return str(x)


@pr.node
async def second(x: str) -> str:
    return x


@pr.node
async def several(x: str) -> AsyncIterator[str]:
    yield x


@pr.node(batch=pr.Batch(max_size=8))
def batched(xs: list[str]) -> list[float]:
    return [0.0 for _ in xs]


@pr.node
def silent(x):  # type: ignore[no-untyped-def]  # it has no annotations on purpose
    return x


class Model:
    def __call__(self, x: str) -> str:
        return x


def is_long(x: str) -> bool:
    return len(x) > 3


def test_messages_enter_and_leave_through_ports_with_their_types() -> None:
    diagram = diagram_of((first >> (second, batched)).shape, "flow index")
    assert diagram.title == "flow index"
    assert diagram.boxes[0] == Box("/in", "input", "int", "port")
    assert diagram.boxes[-1] == Box("/out", "results", "str | float", "port")
    assert diagram.arrows == (
        Arrow("/in", "first"),
        Arrow("first", "second"),
        Arrow("first", "batched"),
        Arrow("second", "/out"),
        Arrow("batched", "/out"),
    )
    assert diagram_of(silent.shape, "").boxes[0].detail == ""


def test_boxes_say_what_is_worth_knowing_at_a_glance() -> None:
    graph = first >> second >> pr.actor(Model)() >> several >> batched
    details = {box.title: box.detail for box in diagram_of(graph.shape, "").boxes}
    assert details["first"] == ""
    assert details["second"] == "async"
    assert details["Model"] == "class"
    assert details["several"] == "async, generator"
    assert details["batched"] == "batches of 8"
    (auto,) = diagram_of(batched.options(batch="auto").shape, "").boxes[1:2]
    assert auto.detail == "auto batches"


def test_branches_are_labels_and_two_ways_to_one_node_share_an_arrow() -> None:
    route = pr.route((is_long, second), (lambda x: True, several), default=second)
    diagram = diagram_of(route.shape, "")
    assert diagram.boxes[1].look == "choice"
    assert Arrow("route", "second", "is_long, default") in diagram.arrows
    assert Arrow("route", "several", "branch 2") in diagram.arrows
    switch = diagram_of(pr.switch((int | float, silent), (str, several)).shape, "")
    assert [arrow.label for arrow in switch.arrows if arrow.label] == ["int | float", "str"]
    assert diagram_of(pr.fold(int, lambda total, x: total + x).shape, "").boxes[1].look == "sum"


def test_nodes_of_one_stage_are_one_block() -> None:
    flow = pr.Flow(first >> second >> several)
    diagram = diagram_of(flow.spec.shape, "", [stage.nodes for stage in flow.plan().stages])
    assert [[box.title for box in block.boxes] for block in diagram.blocks] == [
        ["input"], ["first"], ["second", "several"], ["results"],
    ]  # fmt: skip
    assert [block.title for block in diagram.blocks] == ["", "", "one stage", ""]


def test_a_graph_that_nobody_has_checked_may_have_two_nodes_of_one_name() -> None:
    diagram = diagram_of((first >> second >> second.options(retry=pr.Retry())).shape, "")
    assert [box.key for box in diagram.boxes] == ["/in", "first", "second", "second/2", "/out"]
    assert Arrow("second", "second/2") in diagram.arrows


def test_a_flow_is_a_mermaid_flowchart() -> None:
    text = pr.Flow(first >> second >> several.options(name="<script>")).to_mermaid()
    assert text.startswith("flowchart LR\n")
    assert 'subgraph s2["one stage"]' in text
    assert "<script>" not in text
    assert text == pr.Flow(first >> second >> several.options(name="<script>")).to_mermaid()
