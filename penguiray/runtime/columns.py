"""Batches as the node wants them: a list, an Arrow table, or a numpy array; and its answer back to one entry an input.

A row of a table is a message's fields: of a pydantic model, a dataclass, or a dict with text keys. A row that comes
back is a dict. Rows of an array are the messages themselves, stacked to shape (n, ...).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from penguiray.draw.amounts import counted
from penguiray.graph.signature import Columns
from penguiray.graph.values import Many, Rows

__all__ = ["entries_of", "to_columns"]


def to_columns(values: list[Any], columns: Columns) -> Any:
    """A batch in the form that the node's annotation asks for."""
    if columns == "arrow":
        import pyarrow as pa  # noqa: PLC0415 - only nodes that take tables need it

        return pa.Table.from_pylist([_row(value) for value in values])
    if columns == "numpy":
        import numpy as np  # noqa: PLC0415 - only nodes that take arrays need it

        return np.stack([np.asarray(value) for value in values])
    return values


def _row(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if hasattr(value, "model_dump"):
        fields: dict[str, Any] = value.model_dump()
        return fields
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(
        f"a {type(value).__name__} has no fields to put in an Arrow table: use models, dataclasses or dicts"
    )


def entries_of(answer: Any, size: int, columns: Columns) -> list[list[Any]]:
    """Outputs for each input of a batch.

    Args:
        answer: What the node returned.
        size: Messages in the batch.
        columns: The form in which the batch was handed over.

    Raises:
        ValueError: The answer has another length than the batch, or parents outside it.
        TypeError: It is no sequence at all.
    """
    if isinstance(answer, Rows):
        return _by_parent(_rows_of(answer.table), answer.parent, size)
    rows = _rows_of(answer) if columns != "list" else answer
    if not isinstance(rows, Sequence) or isinstance(rows, str | bytes):
        raise TypeError(
            f"returned {type(answer).__name__} for a batch of {size}; return a list with one entry per input "
            f"(None for nothing, pr.Many(...) for several)"
        )
    if len(rows) != size:
        several = "pr.Many(...) for several" if columns == "list" else "pr.Rows(table, parent=...) for other lengths"
        raise ValueError(
            f"returned {counted(len(rows), 'result')} for a batch of {size}; return one entry per input "
            f"(None for nothing, {several})"
        )
    return [list(row) if isinstance(row, Many) else [] if row is None else [row] for row in rows]


def _rows_of(table: Any) -> Sequence[Any]:
    rows: Sequence[Any] = table.to_pylist() if hasattr(table, "to_pylist") else list(table)
    return rows


def _by_parent(rows: Sequence[Any], parents: tuple[int, ...], size: int) -> list[list[Any]]:
    if len(rows) != len(parents):
        raise ValueError(
            f"pr.Rows has {counted(len(rows), 'row')} and {counted(len(parents), 'parent')}; give one parent per row"
        )
    entries: list[list[Any]] = [[] for _ in range(size)]
    for row, parent in zip(rows, parents, strict=True):
        if not 0 <= parent < size:
            raise ValueError(f"pr.Rows names parent {parent} in a batch of {size}; parents count from 0")
        entries[parent].append(row)
    return entries
