"""The demo's job, once on each engine, over a part of what the command takes: that one is run by `test_jobs`."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from penguiray.demo.functions import split
from penguiray.demo.job import DemoResult, run_demo
from penguiray.demo.modules import read, stdlib_files
from penguiray.demo.report import SCHEMA, file_of, rows_of
from penguiray.ui.cli import main

Name = tuple[str, str]
"""File and qualified name of a function."""

KNOWN = [
    # Found by reading what the job gave on Python 3.11, 3.12 and 3.13.
    ("bz2.py", "BZ2File.write", "lzma.py", "LZMAFile.write"),
    ("bz2.py", "BZ2File.read1", "lzma.py", "LZMAFile.read1"),
    ("bz2.py", "BZ2File.tell", "lzma.py", "LZMAFile.tell"),
    ("bz2.py", "BZ2File.seek", "lzma.py", "LZMAFile.seek"),
    ("bisect.py", "insort_right", "bisect.py", "insort_left"),
    ("_collections_abc.py", "Set.__sub__", "_collections_abc.py", "Set.__rsub__"),
    ("_collections_abc.py", "Coroutine.throw", "_collections_abc.py", "Generator.throw"),
    ("_pydecimal.py", "Decimal.max", "_pydecimal.py", "Decimal.min"),
    ("_pydecimal.py", "Decimal.max_mag", "_pydecimal.py", "Decimal.min_mag"),
    ("_pydecimal.py", "Decimal.logical_and", "_pydecimal.py", "Decimal.logical_or"),
    ("_pydecimal.py", "Decimal.logical_and", "_pydecimal.py", "Decimal.logical_xor"),
    ("_pydecimal.py", "Decimal.__lt__", "_pydecimal.py", "Decimal.__le__"),
    ("_pydecimal.py", "Decimal.__gt__", "_pydecimal.py", "Decimal.__ge__"),
    ("asyncio/proactor_events.py", "BaseProactorEventLoop._write_to_self",
     "asyncio/selector_events.py", "BaseSelectorEventLoop._write_to_self"),
    ("asyncio/unix_events.py", "_UnixReadPipeTransport._call_connection_lost",
     "asyncio/unix_events.py", "_UnixWritePipeTransport._call_connection_lost"),
    ("collections/__init__.py", "OrderedDict.__or__", "collections/__init__.py", "OrderedDict.__ror__"),
    ("configparser.py", "BasicInterpolation.before_get", "configparser.py", "ExtendedInterpolation.before_get"),
    ("heapq.py", "_siftdown", "heapq.py", "_siftdown_max"),
    ("heapq.py", "_siftup", "heapq.py", "_siftup_max"),
    ("http/client.py", "HTTPConnection._validate_path", "http/client.py", "HTTPConnection._validate_host"),
    ("http/cookiejar.py", "DefaultCookiePolicy.set_ok_verifiability",
     "http/cookiejar.py", "DefaultCookiePolicy.return_ok_verifiability"),
    ("inspect.py", "_findclass", "pydoc.py", "_findclass"),
    ("multiprocessing/dummy/__init__.py", "Namespace.__repr__", "multiprocessing/managers.py", "Namespace.__repr__"),
    ("multiprocessing/managers.py", "ConditionProxy.wait_for", "multiprocessing/synchronize.py", "Condition.wait_for"),
    ("os.py", "_Environ.__or__", "os.py", "_Environ.__ror__"),
    ("tkinter/__init__.py", "Canvas.scan_mark", "tkinter/__init__.py", "Text.scan_mark"),
    ("tkinter/__init__.py", "StringVar.__init__", "tkinter/__init__.py", "DoubleVar.__init__"),
    ("tkinter/ttk.py", "Notebook.index", "tkinter/ttk.py", "Treeview.index"),
    ("weakref.py", "WeakValueDictionary.__or__", "weakref.py", "WeakKeyDictionary.__or__"),
    ("wsgiref/handlers.py", "BaseHandler._convert_string_type", "wsgiref/validate.py", "check_string_type"),
]  # fmt: skip


KNOWN_FILES = {file for pair in KNOWN for file in (pair[0], pair[2])}
MODULES = [module for place, module in enumerate(stdlib_files()) if module.file in KNOWN_FILES or place % 8 == 0]


@pytest.fixture(scope="module")
def local() -> DemoResult:
    """The job on the local engine, which shuffles messages."""
    return run_demo(MODULES, engine="local")


@pytest.fixture(scope="module")
def ray(ray_cluster: str) -> DemoResult:
    """The job on Ray."""
    return run_demo(MODULES, engine="ray")


def functions_here(files: set[str]) -> set[Name]:
    modules = [read(module) for module in stdlib_files() if module.file in files]
    return {(module.file, function.place.name) for module in modules if module for function in split(module)}


def test_known_duplicates_of_this_python_are_found(local: DemoResult) -> None:
    here = functions_here(KNOWN_FILES)
    known = {frozenset(((a, b), (c, d))) for a, b, c, d in KNOWN if {(a, b), (c, d)} <= here}

    found = {frozenset(((pair.left.file, pair.left.name), (pair.right.file, pair.right.name))) for pair in local.pairs}

    assert known - found == set()
    assert len(known) >= 20


def test_pairs_are_sorted_and_each_is_there_once(local: DemoResult) -> None:
    ranks = [pair.rank for pair in local.pairs]

    assert ranks == sorted(set(ranks))
    assert all(pair.left.rank < pair.right.rank for pair in local.pairs)
    assert len({(pair.left, pair.right) for pair in local.pairs}) == len(local.pairs)


def test_exactly_the_broken_files_are_dead_letters(local: DemoResult) -> None:
    assert [(file_of(letter), letter.node, type(letter.error.__cause__)) for letter in local.dead_letters] == [
        ("broken/bad_indentation.py.txt", "split", IndentationError),
        ("broken/not_utf8.py.txt", "read", UnicodeDecodeError),
        ("broken/unclosed_bracket.py.txt", "split", SyntaxError),
    ]
    assert local.status.dead_letters == 3


def test_both_engines_give_the_same_rows(local: DemoResult, ray: DemoResult) -> None:
    assert rows_of(ray.pairs).equals(rows_of(local.pairs))
    assert [file_of(letter) for letter in ray.dead_letters] == [file_of(letter) for letter in local.dead_letters]


def test_command_writes_the_rows_and_prints_what_happened(tmp_path: Path, local_engine: str) -> None:
    output = tmp_path / "pairs.parquet"

    result = CliRunner().invoke(main, ["demo", "--engine", local_engine, "--output", str(output), "--limit", "40"])

    assert result.exit_code == 0, result.output
    assert pq.read_schema(output).equals(SCHEMA)
    assert "_pydecimal.py" in result.output
    assert "3 dead letters" in result.output
    assert "broken/not_utf8.py.txt" in result.output
    assert "near_duplicates" in result.output
