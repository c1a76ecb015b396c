"""What each node of a run did, as lines for people."""

from collections.abc import Iterator

from penguiray.observe.status import Status

__all__ = ["summary_lines"]


def summary_lines(status: Status) -> Iterator[str]:
    """Give a heading and one line for each node.

    Columns: messages in and out, messages it gave up on, messages that came in per second, and the share of its
    places that was busy.
    """
    width = max([len(node.name) for node in status.nodes] + [4])
    yield f"  {'node':<{width}} {'in':>8} {'out':>8} {'failed':>6} {'in/s':>9} {'busy':>5}"
    for node in status.nodes:
        yield (
            f"  {node.name:<{width}} {node.taken:>8,} {node.given:>8,} {node.failed:>6,} "
            f"{node.rate_per_s:>9,.1f} {node.busy:>5.0%}"
        )
