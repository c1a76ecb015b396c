from pathlib import Path

import pyarrow.parquet as pq

import penguiray as pr
from penguiray.demo.duplicates import Pair
from penguiray.demo.functions import Place
from penguiray.demo.modules import ModuleFile
from penguiray.demo.report import SCHEMA, dead_letter_lines, file_of, pair_lines, write_rows

PAIR = Pair(
    similarity=0.95,
    tokens=40,
    left=Place(file="a.py", line=3, name="f"),
    right=Place(file="b.py", line=7, name="C.g"),
)


def test_rows_survive_the_file(tmp_path: Path) -> None:
    write_rows([PAIR], tmp_path / "pairs.parquet")

    table = pq.read_table(tmp_path / "pairs.parquet")

    assert table.schema.equals(SCHEMA)
    assert [tuple(row.values()) for row in table.to_pylist()] == [(0.95, 40, "a.py", 3, "f", "b.py", 7, "C.g")]


def test_no_pairs_make_an_empty_file_of_the_same_columns(tmp_path: Path) -> None:
    write_rows([], tmp_path / "pairs.parquet")

    assert pq.read_schema(tmp_path / "pairs.parquet").equals(SCHEMA)


def test_lines_name_both_places_and_stop_at_top() -> None:
    (line,) = pair_lines([PAIR, PAIR], top=1)

    assert line.split() == ["0.950000", "40", "a.py:3", "f", "b.py:7", "C.g"]


def test_dead_letters_say_which_module_where_and_why() -> None:
    error = pr.NodeError("gave up", node="read")
    error.__cause__ = OSError("no such file")
    letter = pr.DeadLetter("read", ModuleFile(file="a.py", path="/nowhere/a.py"), error, "7")

    assert [line.split() for line in dead_letter_lines([letter])] == [
        ["a.py", "read:", "OSError:", "no", "such", "file"]
    ]


def test_dead_letter_that_was_too_large_to_keep_is_named_by_its_trace() -> None:
    assert file_of(pr.DeadLetter("split", None, pr.NodeError("gave up"), "7")) == "trace 7"
