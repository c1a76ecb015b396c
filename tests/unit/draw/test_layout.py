"""Where things stand in a drawing."""

from __future__ import annotations

from penguiray.draw.diagram import Arrow, Block, Box, Diagram
from penguiray.draw.layout import Layout, lay_out


def chain(*names: str) -> Diagram:
    blocks = tuple(Block((Box(name, name),)) for name in names)
    return Diagram("", blocks, tuple(map(Arrow, names, names[1:])))


def fan(*branches: str) -> Diagram:
    blocks = tuple(Block((Box(name, name),)) for name in ("start", *branches, "end"))
    arrows = [Arrow("start", branch, f"to {branch}") for branch in branches]
    return Diagram("", blocks, (*arrows, *(Arrow(branch, "end") for branch in branches)))


def middles(layout: Layout) -> dict[str, float]:
    return {key: round(rect.middle, 6) for key, rect in layout.boxes.items()}


def test_a_chain_is_a_straight_line_from_left_to_right() -> None:
    layout = lay_out(chain("a", "b", "c"))
    assert len(set(middles(layout).values())) == 1
    assert layout.boxes["a"].right < layout.boxes["b"].x
    assert layout.boxes["b"].right < layout.boxes["c"].x
    assert layout.width > layout.boxes["c"].right
    for way, (source, target) in zip(layout.ways, [("a", "b"), ("b", "c")], strict=True):
        assert way.path.startswith(f"M{layout.boxes[source].right:g} ")
        assert way.tip == (layout.boxes[target].x, layout.boxes[target].middle)


def test_branches_lie_evenly_about_the_node_that_they_leave() -> None:
    layout = lay_out(fan("a", "b", "c", "d"))
    heights = middles(layout)
    assert heights["a"] < heights["b"] < heights["c"] < heights["d"]
    assert heights["start"] == heights["end"] == (heights["a"] + heights["d"]) / 2


def test_a_label_has_room_before_the_box_that_its_arrow_enters() -> None:
    layout = lay_out(fan("a", "b"))
    for way in layout.ways[:2]:
        assert way.label
        assert layout.boxes["start"].right + 30 < way.label_at[0] < layout.boxes["a"].x


def test_labels_of_arrows_from_two_boxes_to_one_do_not_cover_each_other() -> None:
    blocks = tuple(Block((Box(name, name),)) for name in "xabz")
    arrows = (Arrow("x", "a"), Arrow("x", "b"), Arrow("a", "z", "one"), Arrow("b", "z", "two"))
    one, two = lay_out(Diagram("", blocks, arrows)).ways[2:]
    assert abs(one.label_at[1] - two.label_at[1]) >= 11


def test_boxes_of_one_block_stand_side_by_side_in_a_frame() -> None:
    block = Block((Box("a", "a"), Box("b", "b")), "one stage")
    layout = lay_out(Diagram("", (block, Block((Box("c", "c"),))), (Arrow("a", "b"), Arrow("b", "c"))))
    ((frame, title),) = layout.frames
    assert title == "one stage"
    for key in "ab":
        rect = layout.boxes[key]
        assert frame.x < rect.x
        assert rect.right < frame.right
        assert frame.y < rect.y
        assert rect.middle == frame.middle
    assert frame.right < layout.boxes["c"].x


def test_an_arrow_that_closes_a_cycle_runs_below_everything() -> None:
    blocks = tuple(Block((Box(name, name),)) for name in "abc")
    loop = (Arrow("a", "b"), Arrow("b", "c"), Arrow("c", "b", "again"), Arrow("a", "a"))
    layout = lay_out(Diagram("", blocks, loop))
    lowest = max(rect.y + rect.height for rect in layout.boxes.values())
    back = [way for way in layout.ways if way.is_back]
    assert [way.label for way in back] == ["again", ""]
    assert all(lowest < way.label_at[1] + 4 < layout.height for way in back)
    assert len({way.label_at[1] for way in back}) == 2


def test_a_long_name_makes_no_endless_box() -> None:
    layout = lay_out(chain("a" * 500))
    assert layout.width < 400


def test_nothing_is_a_drawing_too() -> None:
    assert lay_out(Diagram("", (), ())).boxes == {}
