"""Imports go one way. Those inside functions and under TYPE_CHECKING count: they hide a cycle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import penguiray

ROOT = Path(penguiray.__file__).parent
LAYERS = (
    {"draw"},
    {"errors", "events", "clock", "interrupts"},
    {"graph"},
    {"patterns", "bounded", "plan", "link"},
    {"ingress", "runtime", "control", "observe"},
    {"local", "pump", "actors", "explain"},
    {"flow", "run", "updating", "sending", "lifecycle", "names", "results", "config"},
    {"compat", "testing", "ui", "demo"},
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
SIBLINGS = {
    ("ingress", "observe"), ("ingress", "control"), ("local", "pump"), ("run", "results"), ("run", "updating"),
    ("run", "lifecycle"), ("updating", "sending"), ("updating", "lifecycle"),
    ("sending", "results"), ("sending", "lifecycle"), ("lifecycle", "config"), ("flow", "run"), ("flow", "results"),
    ("flow", "config"), ("flow", "names"), ("flow", "lifecycle"), ("names", "lifecycle"), ("names", "config"),
    ("ui", "demo"),
}  # fmt: skip
"""Who may import a neighbour of its own layer: the files that make up the user's handles, the local engine (who runs
its loop), and the command line that starts the demo."""


def part_of(module: str) -> str:
    """First name under the package: `penguiray.link.frame` is of `link`; the package itself is of ''."""
    return module.partition(".")[2].partition(".")[0]


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Lines and modules of all imports of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            yield node.lineno, node.module or ""
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def own_part(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_every_part_of_the_package_has_its_layer() -> None:
    assert {own_part(path) for path in FILES} <= LEVEL.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    mine = own_part(path)
    wrong = []
    for line, module in imports(path):
        if module.partition(".")[0] != "penguiray":
            continue
        theirs = part_of(module)
        if theirs in {"", mine} or theirs not in LEVEL:
            is_fine = theirs == mine or LEVEL[mine] == len(LAYERS) - 1
        else:
            is_fine = LEVEL[theirs] < LEVEL[mine] or (mine, theirs) in SIBLINGS
        if not is_fine:
            wrong.append(f"{path.name}:{line} imports {module}")
    assert wrong == []


def test_only_actors_imports_ray() -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in FILES
        for _, module in imports(path)
        if module.partition(".")[0] == "ray" and own_part(path) != "actors"
    }
    assert found == set()


def test_graph_knows_no_asyncio_and_plan_reads_no_clock() -> None:
    pure = {"graph": {"asyncio"}, "plan": {"asyncio", "time", "random"}, "link": {"asyncio", "time"}}
    for part, refused in pure.items():
        found = {module.partition(".")[0] for path in FILES if own_part(path) == part for _, module in imports(path)}
        assert not found & refused


def test_only_config_reads_the_environment() -> None:
    readers = set()
    for path in FILES:
        tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        names = {node.attr for node in tree if isinstance(node, ast.Attribute)}
        if names & {"environ", "getenv"}:
            readers.add(own_part(path))
    assert readers <= {"config", "testing", "actors", "ui", "demo"}
