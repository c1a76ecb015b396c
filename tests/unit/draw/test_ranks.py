"""Columns and orders of a layered drawing."""

from __future__ import annotations

from penguiray.draw.ranks import rank


def columns(count: int, *pairs: tuple[int, int]) -> list[list[int]]:
    return rank(count, pairs).columns


def test_a_block_stands_behind_the_longest_way_that_leads_to_it() -> None:
    assert columns(3, (0, 1), (1, 2)) == [[0], [1], [2]]
    assert columns(1) == [[0]]
    assert columns(0) == []
    assert [column[0] for column in columns(4, (0, 1), (1, 2), (2, 3), (0, 3))] == [0, 1, 2, 3]


def test_an_arrow_over_several_columns_has_a_place_in_each() -> None:
    ranked = rank(4, [(0, 1), (1, 2), (2, 3), (0, 3)])
    assert ranked.ways[3] == (0, 4, 5, 3)
    assert ranked.columns == [[0], [1, 4], [2, 5], [3]]
    assert ranked.before[3] == [2, 5]
    assert ranked.after[0] == [1, 4]


def test_items_are_ordered_so_that_arrows_do_not_cross() -> None:
    # 0 and 1 lead to what was written in the other order
    assert columns(5, (0, 1), (0, 2), (1, 4), (2, 3)) == [[0], [1, 2], [4, 3]]
    assert columns(4, (0, 3), (1, 2)) == [[0, 1], [3, 2]]
    assert columns(7, (0, 1), (0, 2), (0, 3), (1, 6), (2, 4), (3, 5), (2, 6))[2] == [6, 4, 5]


def test_an_arrow_that_closes_a_cycle_leads_back() -> None:
    ranked = rank(4, [(0, 1), (1, 2), (2, 1), (2, 3)])
    assert ranked.back == (2,)
    assert ranked.columns == [[0], [1], [2], [3]]
    assert rank(1, [(0, 0)]).back == (0,)


def test_a_long_chain_needs_no_deep_stack() -> None:
    chain = [(number, number + 1) for number in range(1_500)]
    assert len(columns(1_501, *chain)) == 1_501
