"""What a print of a graph or a flow shows."""

from __future__ import annotations

import penguiray as pr


@pr.node
def work(x: int, ctx: pr.Context) -> int:
    return x


a, b, c, d = (work.options(name=name) for name in "abcd")


def test_a_line_of_steps_is_shown_as_it_is_written() -> None:
    assert repr(pr.Flow(a)) == "<Flow 'flow': a>"
    assert repr(pr.Flow(a >> b >> (c, d), name="lines")) == "<Flow 'lines': a >> b >> (c, d)>"
    assert repr((a, b) >> c >> d) == "<Graph (a, b) >> c >> d>"
    assert repr(pr.fan(a, b) >> (c, d)) == "<Graph (a, b) >> (c, d)>"
    assert repr(pr.fan(a, b)) == "<Graph (a, b)>"
    assert repr(a >> pr.route((bool, b), default=c) >> d) == "<Graph a >> route >> (b, c) >> d>"


def test_other_graphs_are_shown_by_their_edges() -> None:
    assert repr(pr.fan(a >> b, c)) == "<Graph a >> b, c>"
    assert repr(a >> (b >> c, d)) == "<Graph a >> b, a >> d, b >> c>"
    assert repr(pr.fan(a, b >> a >> c)) == "<Graph a >> c, b >> a>"


def test_ways_back_are_named() -> None:
    flow = pr.Flow(a >> b >> c, back=[pr.Back(b, a)])
    assert repr(flow) == "<Flow 'flow': a >> b >> c; back: b >> a>"


def test_a_large_graph_is_shortened_to_one_line() -> None:
    graph = pr.fan(*(work.options(name=f"node_{number}") for number in range(100))) >> a
    shown = repr(pr.Flow(graph))
    assert shown.startswith("<Flow 'flow': (node_0, node_1, ")
    assert shown.endswith(", node_98, node_99) >> a>")
    assert len(shown) < 230
