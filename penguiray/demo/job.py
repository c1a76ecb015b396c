"""The demo's flow, and one run of it."""

from collections.abc import Iterable
from dataclasses import dataclass

import penguiray as pr
from penguiray.config import EngineName
from penguiray.demo.duplicates import Pair, near_duplicates
from penguiray.demo.embed import embed
from penguiray.demo.functions import split
from penguiray.demo.modules import ModuleFile, broken_files, read
from penguiray.demo.normalise import normalise
from penguiray.demo.report import file_of
from penguiray.observe.progress import Progress

__all__ = ["DemoResult", "build_flow", "run_demo"]


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What a run of the demo gave."""

    pairs: list[Pair]
    """Pairs of functions that look alike, the most similar first."""
    dead_letters: list[pr.DeadLetter]
    """Modules that could not be read or parsed, by name."""
    status: pr.Status
    """What each node did."""


def build_flow() -> pr.Flow[ModuleFile, Pair]:
    """The flow from modules to pairs of functions that look alike."""
    return pr.Flow(read >> split >> normalise >> embed() >> near_duplicates, name="near-duplicates")


def run_demo(modules: Iterable[ModuleFile], *, engine: EngineName | None = None, progress: bool = False) -> DemoResult:
    """Run the flow over modules of this Python's standard library, and over the three broken files.

    Args:
        modules: See `stdlib_files`.
        engine: See `Flow.start`.
        progress: Whether to show progress on stderr.
    """
    run = build_flow().start(engine=engine)
    with Progress(run.status, is_on=progress), run:
        pairs = run.collect([*modules, *broken_files()], on_error="skip")
    return DemoResult(
        pairs=sorted(pairs, key=lambda pair: pair.rank),
        dead_letters=sorted(run.dead_letters(), key=file_of),
        status=run.status(),
    )
