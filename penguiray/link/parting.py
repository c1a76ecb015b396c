"""A replica's news, parted by whom they are for: several processes may have sent inputs into one run. Pure."""

from __future__ import annotations

from penguiray.link.ids import ingress_of
from penguiray.link.report import Report, sent_elsewhere

__all__ = ["part"]


def part(report: Report, *, gives_when_finished: bool) -> dict[int, Report]:
    """News by the ingress that the inputs came from; without counters.

    Args:
        report: News of all.
        gives_when_finished: Whether the results are those of the finished messages, and not the streamed ones.
    """
    parts: dict[int, Report] = {}

    def of(root: int) -> Report:
        number = ingress_of(root)
        if number not in parts:
            parts[number] = Report(report.stage)
        return parts[number]

    first = 0
    for root, message_id, count in zip(report.roots, report.ids, report.counts, strict=True):
        mine, chosen = of(root), report.destinations.get(message_id)
        mine.roots.append(root)
        mine.ids.append(message_id)
        mine.counts.append(count)
        if chosen is not None:
            mine.destinations[message_id] = chosen
        if gives_when_finished:
            given = count - sent_elsewhere(chosen)
            mine.results += report.results[first : first + given]
            first += given
    for key, value in zip(report.streamed, report.results, strict=False):
        mine = of(key[0])
        mine.streamed.append(key)
        mine.results.append(value)
    for parked in report.parked:
        of(parked[0]).parked.append(parked)
    for failure in report.failures:
        mine, chosen = of(failure.root), report.destinations.get(failure.message_id)
        mine.failures.append(failure)
        if chosen is not None:
            mine.destinations[failure.message_id] = chosen
    return parts
