"""What a notebook shows of a run, and of what came of its messages."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

import penguiray as pr

pytestmark = pytest.mark.usefixtures("engine")


@pr.node
def double(x: int) -> int:
    return 2 * x


@pr.node(retry=pr.Retry(max_attempts=2, initial_s=0))
def refuse_six(x: int) -> int:
    if x == 6:
        raise ValueError("<script>six</script>")
    return x


def parsed(html: str) -> ET.Element:
    return ET.fromstring(f"<div>{html}</div>")


def rows_of(html: str) -> list[list[str | None]]:
    return [[cell.text for cell in row] for row in parsed(html).iter("tr")]


def test_a_run_shows_its_status_beside_its_drawing_at_every_time_of_its_life() -> None:
    run = pr.Flow(double.options(fuse=False) >> refuse_six, name="views").start()
    assert len(rows_of(run._repr_html_())) == 3
    run.collect(range(10), on_error="skip")
    run.drain()
    html = run._repr_html_()
    assert [row[:1] + row[2:5] for row in rows_of(html)[1:]] == [
        ["double", "10", "10", "0"],
        ["refuse_six", "10", "9", "1"],
    ]
    assert "views: stopped, 10 inputs done" in html
    (svg,) = parsed(html).iter("{http://www.w3.org/2000/svg}svg")
    assert "refuse_six" in [text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")]


def test_an_error_as_a_value_shows_node_attempt_cause_and_the_replicas_traceback() -> None:
    with pr.Flow(double >> refuse_six).start() as run:
        (error,) = (one for one in run.map(range(5), on_error="yield") if isinstance(one, pr.NodeError))
        (letter,) = run.dead_letters()
    for html in (error._repr_html_(), letter._repr_html_()):
        assert ["node", "refuse_six"] in rows_of(html)
        assert ["attempt", "2"] in rows_of(html)
        assert "because of <b>ValueError</b>: &lt;script&gt;six" in html
        traces = [details.findtext("pre") or "" for details in parsed(html).iter("details")]
        assert "in refuse_six" in traces[-1]
