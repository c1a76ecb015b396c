"""The guide and the reference say what the code says."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

import penguiray as pr
from penguiray import config, errors
from penguiray.graph import policies
from penguiray.graph.policies import UNSET
from penguiray.ingress import ingress, sent, window
from penguiray.plan import plan
from penguiray.plan.compile import ASYNC_CONCURRENCY
from penguiray.runtime import batch_size, hedge
from penguiray.runtime.limit import MOST_CALLS

DOCS = Path(__file__).parents[2] / "docs"
GUIDE, REFERENCE = ((DOCS / name).read_text(encoding="utf-8") for name in ("guide.md", "reference.md"))


def rows_under(heading: str) -> list[list[str]]:
    """Cells of the first table under a heading, without its head."""
    section = re.split(rf"^#+ {re.escape(heading)}$", REFERENCE, flags=re.MULTILINE)[1]
    lines = re.split(r"^#+ ", section, flags=re.MULTILINE)[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("|")]
    return rows[2:]


def field_texts(cls: type) -> Iterator[tuple[str, str]]:
    """Names of a class's fields and the lines under them, from the source."""
    (found,) = [
        node
        for node in ast.parse(inspect.getsource(policies)).body
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__
    ]
    for line, below in zip(found.body, found.body[1:], strict=False):
        if isinstance(line, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            yield ast.unparse(line.target), " ".join(str(below.value.value).split())


def shown(value: Any) -> str:
    """A default as the reference writes it."""
    if value is MISSING:
        return "none"
    if isinstance(value, bool):
        return f"`{value}`"
    if isinstance(value, int) and value >= 1024 and value % 1024 == 0:
        return f"{value // 1024**2} MiB" if value >= 1024**2 else f"{value // 1024} KiB"
    if value is None:
        return "`None`"
    if isinstance(value, str):
        return f'`"{value}"`'
    if isinstance(value, tuple):
        return f"`({', '.join(one.__name__ for one in value)},)`"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def test_the_table_of_node_options_has_every_option_and_what_holds_when_it_is_unset() -> None:
    expected = []
    for name, text in field_texts(pr.NodeOptions):
        meaning, unset = text.split(" Unset: ")
        expected.append([f"`{name}`", meaning.rstrip("."), unset.rstrip(".")])
    assert rows_under("Options of a node") == expected
    assert [row[0] for row in expected] == [f"`{option.name}`" for option in fields(pr.NodeOptions)]
    assert all(option.default is UNSET for option in fields(pr.NodeOptions))


@pytest.mark.parametrize(
    ("cls", "heading"),
    [(pr.Retry, "Retry"), (pr.Rate, "Rate"), (pr.Batch, "Batch"), (pr.FlowOptions, "Options of a flow")],
    ids=["Retry", "Rate", "Batch", "FlowOptions"],
)
def test_the_tables_of_policies_have_every_field_and_its_default(cls: type, heading: str) -> None:
    defaults = {field.name: field.default for field in fields(cls)}
    expected = [[f"`{name}`", shown(defaults[name]), text.rstrip(".")] for name, text in field_texts(cls)]
    assert rows_under(heading) == expected
    assert len(expected) == len(defaults)


def test_the_table_of_call_arguments_has_every_argument_and_its_default() -> None:
    arguments: dict[str, Any] = {}
    for call in (pr.Run.ask, pr.Run.ask_all, pr.Run.map, pr.Run.collect):
        for name, parameter in inspect.signature(call).parameters.items():
            if parameter.kind is parameter.KEYWORD_ONLY:
                assert arguments.setdefault(name, parameter.default) == parameter.default
    table = {row[0].strip("`"): row[1] for row in rows_under("Arguments of a call")}
    assert table == {name: f"`{default!r}`".replace("'", '"') for name, default in arguments.items()}


def test_the_numbers_that_penguiray_chooses_are_those_of_the_code() -> None:
    texts = dict(field_texts(pr.NodeOptions))
    assert f"1 for sync functions, {ASYNC_CONCURRENCY} for async ones" in texts["concurrency"]
    assert f"up to {MOST_CALLS:,}" in texts["concurrency"]
    assert f"begins with {ASYNC_CONCURRENCY} calls" in REFERENCE
    (about,) = [row[2] for row in rows_under("Arguments of a call") if row[0] == "`window`"]
    assert f"{ingress.WINDOW_PER_CALL} times the concurrency of the flow" in about
    assert f"within {window._GROW_S:g} s" in about
    assert f"up to {window.MOST_INPUTS:,}" in about
    assert f"longer than {window._SHRINK_S:g} s" in about


def test_the_numbers_of_automatic_batches_are_those_of_the_code() -> None:
    text = " ".join(REFERENCE.split())
    assert f"at {batch_size.MOST_MESSAGES:,} messages, or where a call would take more than" in text
    assert f"more than {batch_size.LONGEST_CALL_S:g} s, or twice what one message takes alone" in text
    assert batch_size.SLOWER_THAN_ALONE == 2.0
    assert batch_size.SHARE_OF_TIMEOUT == 0.5
    assert f"counts on {plan._AUTO_MESSAGES} messages in the calls of a replica" in text
    assert f"and on at least {pr.Batch().max_size} in each" in text


def test_the_numbers_of_second_calls_are_those_of_the_code() -> None:
    text = " ".join(REFERENCE.split())
    assert hedge._QUANTILE == 0.9
    assert f"over {hedge._TIMES:g} times as long as nine in ten of the newest {hedge._NEWEST} do" in text
    assert f"and over {1_000 * hedge._FLOOR_S:g} ms, is a straggler, once {hedge._LEAST} calls have ended" in text
    assert f"at most {100 * hedge.MOST_SHARE:g} % of all, and {hedge._RESERVE:g} more" in text
    assert hedge._MOST_SLOW == 0.25
    assert "none while a quarter of the latest calls are stragglers" in text


def test_the_limits_of_send_are_those_of_the_code() -> None:
    for text in (GUIDE, inspect.getdoc(pr.Run.send) or ""):
        assert f"{sent.LIVE_LIMIT:,} inputs are under way" in text
        assert f"{sent.UNREAD_LIMIT:,} results are unread" in text


def test_the_table_of_errors_has_every_public_error() -> None:
    named = re.findall(r"`(\w+)`", " ".join(row[0] for row in rows_under("Errors")))
    assert sorted(named) == sorted(errors.__all__)


def test_the_table_of_variables_is_that_of_the_code() -> None:
    documented = re.findall(r"^\| `(\w+)`", config.__doc__ or "", flags=re.MULTILINE)
    named = [row[0].strip("`") for row in rows_under("Configuration")]
    assert named[: len(documented)] == documented
