"""A diagram as Mermaid text: every sign that Mermaid would read as its own is escaped."""

from __future__ import annotations

import html
import re

from penguiray.draw.diagram import Arrow, Block, Box, Diagram
from penguiray.draw.mermaid import mermaid_of


def label_of(name: str) -> str:
    """The label of a box as Mermaid writes it."""
    (line,) = mermaid_of(Diagram("", (Block((Box("x", name),)),), ())).splitlines()[1:]
    (label,) = re.fullmatch(r'    n0\["(.*)"\]', line).groups()  # type: ignore[union-attr]  # a test
    return str(label)


def decoded(label: str) -> str:
    """What Mermaid shows for a label, by its entity codes."""
    return html.unescape(re.sub(r"#(\d+);", r"&#\1;", label))


def test_boxes_blocks_and_arrows_are_lines() -> None:
    diagram = Diagram(
        "",
        (
            Block((Box("in", "input", "int", "port"),)),
            Block((Box("a", "first"), Box("b", "second", "async")), "one stage"),
            Block((Box("c", "third", look="choice"),)),
            Block((Box("d", "fourth", look="sum"),)),
        ),
        (Arrow("in", "a"), Arrow("a", "b"), Arrow("b", "c", "even"), Arrow("c", "a")),
    )
    assert mermaid_of(diagram).splitlines() == [
        "flowchart LR",
        '    n0(["input<br>int"])',
        '    subgraph s1["one stage"]',
        '        n1["first"]',
        '        n2["second<br>async"]',
        "    end",
        '    n3{{"third"}}',
        '    n4[["fourth"]]',
        "    n0 --> n1",
        "    n1 --> n2",
        '    n2 -->|"even"| n3',
        "    n3 --> n1",
    ]


def test_odd_names_are_shown_as_they_are_and_read_as_nothing_else() -> None:
    for name in (
        "<script>",
        'say "x"',
        "1. one",
        "- two",
        "`code` **b**",
        "a|b]c}d)",
        "#35; &amp;",
        "%%{init}%%",
        "🐧 日本",
    ):
        label = label_of(name)
        assert decoded(label) == name
        assert not set('<>"`*|[]{}()&%-.') & set(label)


def test_a_line_break_in_a_name_breaks_no_line() -> None:
    assert decoded(label_of("two\nlines")) == "two\nlines"
    assert "\n" not in label_of("two\nlines")
