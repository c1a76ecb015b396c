"""What becomes of the results: a Parquet file, and lines for people."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import penguiray as pr
from penguiray.demo.duplicates import Pair
from penguiray.demo.modules import Module, ModuleFile

__all__ = ["SCHEMA", "dead_letter_lines", "file_of", "pair_lines", "rows_of", "write_rows"]

SCHEMA = pa.schema([
    ("similarity", pa.float64()),
    ("tokens", pa.int32()),
    ("left_file", pa.string()),
    ("left_line", pa.int32()),
    ("left_name", pa.string()),
    ("right_file", pa.string()),
    ("right_line", pa.int32()),
    ("right_name", pa.string()),
])  # fmt: skip


def rows_of(pairs: list[Pair]) -> pa.Table:
    """Pairs as a table of `SCHEMA`, one row each, in their order."""
    rows = [
        {
            "similarity": pair.similarity,
            "tokens": pair.tokens,
            **{f"left_{name}": value for name, value in pair.left},
            **{f"right_{name}": value for name, value in pair.right},
        }
        for pair in pairs
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def write_rows(pairs: list[Pair], output: Path) -> None:
    """Write pairs as Parquet; an older file of that name is replaced."""
    pq.write_table(rows_of(pairs), output)


def pair_lines(pairs: list[Pair], top: int) -> Iterator[str]:
    """The first pairs as a table: similarity, tokens, and both places."""
    shown = pairs[:top]
    width = max((len(str(pair.left)) for pair in shown), default=0)
    for pair in shown:
        yield f"  {pair.similarity:8.6f} {pair.tokens:6,}  {pair.left!s:<{width}}  {pair.right}"


def dead_letter_lines(letters: list[pr.DeadLetter]) -> Iterator[str]:
    """Each module that failed, with the node and the reason."""
    width = max((len(file_of(letter)) for letter in letters), default=0)
    for letter in letters:
        error = letter.error.__cause__ or letter.error
        yield f"  {file_of(letter):<{width}}  {letter.node}: {type(error).__name__}: {error}"


def file_of(letter: pr.DeadLetter) -> str:
    """The module that a dead letter came from; its trace id if the message was too large to be kept."""
    return letter.value.file if isinstance(letter.value, ModuleFile | Module) else f"trace {letter.trace_id}"
