"""News are whole whenever a replica says that there are some: whoever is told may take them at once."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from nowhere import Nowhere

import penguiray as pr
from penguiray.clock import SystemClock
from penguiray.link.frame import Frame, Kind, LinkId
from penguiray.link.ids import first_id, root_of
from penguiray.link.message import Facts, Messages
from penguiray.link.report import Report
from penguiray.runtime.replica import Replica


@pr.node
def same(x: str) -> str:
    return x


def test_a_report_that_is_taken_when_the_next_suspect_begins_has_the_results_of_the_last() -> None:
    plan, roots = pr.Flow(same).plan(), [root_of(1, position) for position in range(3)]
    reports = list[Report]()

    async def main() -> None:
        def take() -> None:
            reports.append(replica.outbox.take_report())
            asyncio.get_running_loop().call_soon(replica.outbox.note_known)

        replica: Any = Replica(
            plan.stages[0], plan.options, Nowhere(), epoch=7, clock=SystemClock(), rng=random.Random(0),
            on_news=take, inline=True,
        )  # fmt: skip
        await replica.open()
        facts = {root: Facts(is_suspect=True) for root in roots}
        messages = Messages(roots, [first_id(root, 0) for root in roots], ["a", "b", "c"], facts)
        replica.receive(Frame(LinkId(0, 0), 7, 0, Kind.DATA, messages), lambda _: None)
        replica.finish()
        await replica.run()

    asyncio.run(main())
    assert [root for report in reports for root, _ in report.begun] == roots
    assert [report.results for report in reports if report.ids] == [["a"], ["b"], ["c"]]
    assert [report.number for report in reports] == list(range(1, len(reports) + 1))
