"""Random graphs, cycles included: nothing covers anything, everything is on the sheet."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from penguiray.draw.diagram import Arrow, Block, Box, Diagram
from penguiray.draw.layout import Rect, lay_out
from penguiray.draw.svg import svg_of


@st.composite
def diagrams(draw: st.DrawFn) -> Diagram:
    """Blocks of 1 to 3 boxes, and arrows in any direction."""
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=9))
    names = draw(st.lists(st.text(max_size=40), min_size=sum(sizes), max_size=sum(sizes)))
    boxes = iter([Box(str(number), name) for number, name in enumerate(names)])
    blocks = tuple(Block(tuple(itertools.islice(boxes, size)), "one stage") for size in sizes)
    inner = [(a.key, b.key) for block in blocks for a, b in itertools.pairwise(block.boxes)]
    ends = st.sampled_from(blocks)
    outer = draw(
        st.lists(st.tuples(ends, ends).map(lambda two: (two[0].boxes[-1].key, two[1].boxes[0].key)), max_size=14)
    )
    pairs = list(dict.fromkeys([*inner, *outer]))
    labels = draw(st.lists(st.sampled_from(["", "even", "a longer label"]), min_size=len(pairs), max_size=len(pairs)))
    return Diagram("", blocks, tuple(Arrow(*pair, label) for pair, label in zip(pairs, labels, strict=True)))


def cover(one: Rect, other: Rect) -> bool:
    return (
        one.x < other.right - 1e-6
        and other.x < one.right - 1e-6
        and one.y < other.y + other.height - 1e-6
        and other.y < one.y + one.height - 1e-6
    )


@given(diagrams())
@settings(deadline=None, max_examples=150)
def test_boxes_and_frames_cover_nothing_and_lie_on_the_sheet(diagram: Diagram) -> None:
    layout = lay_out(diagram)
    frames = iter(layout.frames)
    outlines = [
        next(frames)[0] if len(block.boxes) > 1 else layout.boxes[block.boxes[0].key] for block in diagram.blocks
    ]
    assert not [1 for one, other in itertools.combinations(outlines, 2) if cover(one, other)]
    for rect in (*outlines, *layout.boxes.values()):
        assert rect.x >= 0
        assert rect.y >= 0
        assert rect.right <= layout.width
        assert rect.y + rect.height <= layout.height
    assert len(layout.ways) == len(diagram.arrows)
    ET.fromstring(svg_of(diagram))


@given(diagrams())
@settings(deadline=None, max_examples=50)
def test_what_does_not_lead_back_leads_to_the_right(diagram: Diagram) -> None:
    layout = lay_out(diagram)
    next_to = {(a.key, b.key) for block in diagram.blocks for a, b in itertools.pairwise(block.boxes)}
    arrows = sorted(diagram.arrows, key=lambda arrow: (arrow.source, arrow.target) not in next_to)
    for arrow, way in zip(arrows, layout.ways, strict=True):
        if not way.is_back:
            assert layout.boxes[arrow.source].right < layout.boxes[arrow.target].x
            assert way.tip[0] == layout.boxes[arrow.target].x
