"""Pieces of HTML."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from penguiray.draw.html import beside, folded, lines, scrolled, table, verbatim


def test_pieces_are_well_formed_and_their_texts_escaped() -> None:
    cells = table(("name", "<n>"), [("<script>", 1_234), ("b", 1.25)])
    whole = lines(beside(cells, scrolled(verbatim("a < b\n c"))), "", folded("<s>", verbatim("&")))
    root = ET.fromstring(f"<div>{whole}</div>")
    assert [cell.text for cell in root.iter("td")] == ["<script>", "1,234", "b", "1.2"]
    assert [cell.text for cell in root.iter("th")] == ["name", "<n>"]
    assert [text.text for text in root.iter("pre")] == ["a < b\n c", "&"]
    assert root.findtext(".//summary") == "<s>"
    assert "<script>" not in whole


def test_numbers_stand_on_the_right() -> None:
    root = ET.fromstring(table(("a", "b"), [("x", 1)]))
    assert ["right" in (cell.get("style") or "") for cell in root.iter("td")] == [False, True]
