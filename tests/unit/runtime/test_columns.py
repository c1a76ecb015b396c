"""Batches in the node's form, and its answer back to one entry an input."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import BaseModel

import penguiray as pr
from penguiray.graph.signature import Columns
from penguiray.runtime.columns import entries_of, to_columns


class Model(BaseModel):
    x: int


@dataclasses.dataclass
class Row:
    x: int


def test_a_table_has_a_row_for_each_model_dataclass_or_dict() -> None:
    table = to_columns([Model(x=1), Row(2), {"x": 3}], "arrow")
    assert isinstance(table, pa.Table)
    assert table.to_pydict() == {"x": [1, 2, 3]}
    with pytest.raises(TypeError, match="a int has no fields"):
        to_columns([1], "arrow")
    with pytest.raises(TypeError, match="a type has no fields"):
        to_columns([Row], "arrow")


def test_an_array_stacks_numbers_and_arrays() -> None:
    assert to_columns([1, 2], "numpy").shape == (2,)
    assert to_columns([np.zeros((3, 4)), np.ones((3, 4))], "numpy").shape == (2, 3, 4)
    values = [1, 2]
    assert to_columns(values, "list") is values


@pytest.mark.parametrize(
    ("answer", "columns", "entries"),
    [
        ([1, None, pr.Many([2, 3])], "list", [[1], [], [2, 3]]),
        ((1, 2, pr.Many([])), "list", [[1], [2], []]),
        ([[1], (), "ab"], "list", [[[1]], [()], ["ab"]]),
        (pa.table({"x": [1, 2, 3]}), "arrow", [[{"x": 1}], [{"x": 2}], [{"x": 3}]]),
        (np.array([1, 2, 3]), "numpy", [[1], [2], [3]]),
        (pr.Rows(pa.table({"x": [1, 2]}), parent=[2, 0]), "arrow", [[{"x": 2}], [], [{"x": 1}]]),
        (pr.Rows(np.array([7, 8, 9]), parent=np.array([1, 1, 1])), "numpy", [[], [7, 8, 9], []]),
    ],
)
def test_an_answer_has_an_entry_for_each_of_three_inputs(answer: Any, columns: Columns, entries: Any) -> None:
    assert entries_of(answer, 3, columns) == entries


@pytest.mark.parametrize(
    ("answer", "columns", "error", "text"),
    [
        ([1, 2], "list", ValueError, r"returned 2 results for a batch of 3; .*pr\.Many"),
        (np.array([1]), "numpy", ValueError, r"returned 1 result for a batch of 3; .*pr\.Rows"),
        ("abc", "list", TypeError, "returned str for a batch of 3; return a list"),
        (None, "list", TypeError, "returned NoneType"),
        (iter([1, 2, 3]), "list", TypeError, "returned list_iterator"),
        (pr.Rows(np.array([1, 2]), parent=[0]), "numpy", ValueError, "2 rows and 1 parent"),
        (pr.Rows(np.array([1]), parent=[3]), "numpy", ValueError, "parent 3 in a batch of 3; parents count from 0"),
        (pr.Rows(np.array([1]), parent=[-1]), "numpy", ValueError, "parent -1"),
    ],
)
def test_another_answer_is_refused_with_what_to_return(
    answer: Any, columns: Columns, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        entries_of(answer, 3, columns)
