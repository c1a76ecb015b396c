"""A drawing as SVG: well-formed, escaped, and readable on any ground."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from penguiray.draw.diagram import Arrow, Block, Box, Diagram, Look
from penguiray.draw.svg import svg_of

SVG = "{http://www.w3.org/2000/svg}"
DIAGRAM = Diagram(
    'a <flow> & "more"',
    (
        Block((Box("in", "input", "int", "port"),)),
        Block((Box("a", "<script>"), Box("b", "b" * 100, "async")), "one stage"),
        Block((Box("c", "choice", look="choice"),)),
        Block((Box("d", "sum", look="sum"),)),
    ),
    (Arrow("in", "a"), Arrow("a", "b"), Arrow("b", "c"), Arrow("c", "d", "x < 3"), Arrow("c", "a", "again")),
)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def test_every_name_label_and_frame_is_there_and_escaped() -> None:
    svg = svg_of(DIAGRAM)
    found = texts(svg)
    for text in ("input", "int", "<script>", "async", "one stage", "choice", "sum", "x < 3", "again"):
        assert text in found
    assert "<script>" not in svg
    assert "b" * 33 not in "".join(found)
    titles = [element.text for element in ET.fromstring(svg).iter(f"{SVG}title")]
    assert titles[0] == DIAGRAM.title
    assert f"{'b' * 100}: async" in titles


def test_it_takes_the_colour_of_the_text_around_it_and_needs_no_style_sheet() -> None:
    svg = svg_of(DIAGRAM)
    root = ET.fromstring(svg)
    assert root.get("stroke") == "currentColor"
    assert {element.get("fill") for element in root.iter(f"{SVG}text")} == {"currentColor"}
    solid = [element for element in root.iter() if (element.get("fill") or "").startswith("#")]
    assert solid
    assert all(float(element.get("fill-opacity", "1")) < 0.3 for element in solid)
    assert not re.search(r"<style|<script|<marker| id=| style=|url\(", svg)


def test_a_file_brings_colours_for_light_and_dark() -> None:
    svg = svg_of(DIAGRAM, is_file=True)
    ET.fromstring(svg)
    assert "prefers-color-scheme:dark" in svg


def test_each_look_has_a_shape_of_its_own() -> None:
    shapes = set()
    looks: list[Look] = ["step", "choice", "sum", "port"]
    for look in looks:
        root = ET.fromstring(svg_of(Diagram("", (Block((Box("a", "a", look=look),)),), ())))
        group = root.find(f"{SVG}g")
        assert group is not None
        shapes.add(tuple((child.tag, child.get("rx")) for child in group))
    assert len(shapes) == 4


def test_the_same_diagram_gives_the_same_drawing() -> None:
    assert svg_of(DIAGRAM) == svg_of(DIAGRAM)
    assert "e-" not in " ".join(re.findall(r' d="([^"]*)"', svg_of(DIAGRAM)))
