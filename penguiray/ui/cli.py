"""The command line: `penguiray demo`, `penguiray ls`.

Each command loads what it needs when it runs, so that `--help` is quick.
"""

from collections.abc import Iterable
from pathlib import Path

import click

from penguiray.config import EngineName, prepare_join, wants_progress
from penguiray.draw.amounts import counted
from penguiray.errors import StartError

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="penguiray")
def main() -> None:
    """Flows of typed nodes on Ray."""


@main.command()
@click.option(
    "--engine",
    type=click.Choice(["ray", "local"]),
    help="Where to run: on Ray, or in this process.  [default: $PENGUIRAY_ENGINE, else ray]",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("near_duplicates.parquet"),
    show_default=True,
    help="Parquet file for all pairs.",
)
@click.option("--top", type=click.IntRange(min=0), default=20, show_default=True, help="Pairs to print.")
@click.option("--limit", type=click.IntRange(min=0), help="Only the first so many modules.")
def demo(engine: EngineName | None, output: Path, top: int, limit: int | None) -> None:
    """Find near-duplicate functions in this Python's standard library.

    Three broken files that ship with the demo join the modules, to show what becomes of failures.
    """
    from penguiray.demo.job import run_demo  # noqa: PLC0415 - see the module's docstring
    from penguiray.demo.modules import stdlib_files  # noqa: PLC0415 - as above
    from penguiray.demo.report import dead_letter_lines, pair_lines, write_rows  # noqa: PLC0415
    from penguiray.ui.summary import summary_lines  # noqa: PLC0415

    result = run_demo(stdlib_files(limit), engine=engine, progress=wants_progress(None))
    write_rows(result.pairs, output)
    click.echo(f"{counted(len(result.pairs), 'pair')} of functions that look alike, in {output}. The most similar:")
    _echo(pair_lines(result.pairs, top))
    click.echo(f"\n{counted(len(result.dead_letters), 'dead letter')}, messages that a node gave up on:")
    _echo(dead_letter_lines(result.dead_letters))
    click.echo(f"\nWhat each node did in {result.status.seconds:.1f} s:")
    _echo(summary_lines(result.status))


@main.command()
@click.option(
    "--address",
    help="Ray cluster to look at.  [default: $RAY_ADDRESS, else the Ray that a program of yours started on this host]",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def ls(address: str | None, as_json: bool) -> None:
    """List the runs of a Ray cluster, with who started them and since when."""
    from penguiray.ui.runs import run_lines, runs_as_json  # noqa: PLC0415 - see the module's docstring

    try:
        joined = prepare_join(address)
        from penguiray.actors import registry, session  # noqa: PLC0415 - loads ray

        with session.visit(joined):
            cards, silent = registry.runs()
    except StartError as error:
        raise click.ClickException(str(error)) from error
    _echo([runs_as_json(cards, silent)] if as_json else run_lines(cards, silent))


def _echo(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


if __name__ == "__main__":
    main()
