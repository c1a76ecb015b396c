"""News of one replica, parted by the process that sent the inputs."""

from __future__ import annotations

from dataclasses import fields

from penguiray.link.failure import CarriedError, Failure
from penguiray.link.ids import first_call, ingress_number, ingress_of, root_of, root_of_trace, trace_id_of
from penguiray.link.parting import part
from penguiray.link.report import Report

EPOCH = 1_764_000_000_000_000_000
MINE, YOURS = root_of(7, 3), root_of(first_call(2) + 7, 3)


def failure(root: int, message_id: int) -> Failure:
    return Failure(root, message_id, "node", 1, CarriedError.of(ValueError("no")))


def test_every_part_of_a_report_that_speaks_of_an_input_is_parted() -> None:
    parted = {"stage", "roots", "ids", "counts", "destinations", "results", "streamed", "parked", "failures"}
    assert {field.name for field in fields(Report)} == {
        *parted,
        "number",
        "counters",
        "begun",
        "unreached",
        "has_counters",
    }


def test_finished_messages_take_their_results_and_destinations_along() -> None:
    report = Report(
        4,
        roots=[MINE, YOURS, MINE, YOURS],
        ids=[1, 2, 3, 4],
        counts=[2, 3, 0, 1],
        destinations={2: {0: -1, 2: -1}, 5: -1},
        results=["a", "b", "c", "d"],
        failures=[failure(YOURS, 5), failure(MINE, 6)],
    )
    parts = part(report, gives_when_finished=True)
    assert sorted(parts) == [0, 2]
    mine, yours = parts[0], parts[2]
    assert (mine.stage, mine.ids, mine.counts, mine.results) == (4, [1, 3], [2, 0], ["a", "b"])
    assert (yours.roots, yours.ids, yours.results) == ([YOURS, YOURS], [2, 4], ["c", "d"])
    assert (mine.destinations, yours.destinations) == ({}, {2: {0: -1, 2: -1}, 5: -1})
    assert [[one.message_id for one in each.failures] for each in (mine, yours)] == [[6], [5]]


def test_streamed_results_go_to_whose_input_gave_them_and_later_news_are_added() -> None:
    report = Report(0, streamed=[(YOURS, 1, 0), (MINE, 2, 0), (YOURS, 1, 1)], results=["x", "y", "z"])
    parts = part(report, gives_when_finished=False)
    assert (parts[0].results, parts[2].results) == (["y"], ["x", "z"])
    parts[2].extend(Report(0, roots=[YOURS], ids=[1], counts=[2]))
    assert (parts[2].ids, parts[2].streamed) == ([1], [(YOURS, 1, 0), (YOURS, 1, 1)])


def test_messages_that_wait_at_a_join_are_told_to_whose_input_they_came_from() -> None:
    parts = part(Report(3, parked=[(YOURS, 1), (MINE, 2)]), gives_when_finished=True)
    assert all(parts.values())
    parts[2].extend(Report(3, parked=[(YOURS, 3)]))
    assert (parts[0].parked, parts[2].parked) == ([(MINE, 2)], [(YOURS, 1), (YOURS, 3)])


def test_inputs_of_two_processes_have_other_trace_ids_that_lead_back_to_their_roots() -> None:
    assert (ingress_of(MINE), ingress_of(YOURS)) == (0, 2)
    mine, yours = trace_id_of(EPOCH, MINE), trace_id_of(EPOCH, YOURS)
    assert mine != yours
    assert (root_of_trace(EPOCH, mine), root_of_trace(EPOCH, yours, 2)) == (MINE, YOURS)
    assert root_of_trace(EPOCH, yours) is None


def test_messages_of_two_processes_have_other_ids_although_ids_are_taken_modulo_a_prime() -> None:
    firsts = [0, *(first_call(ingress_number(EPOCH, count)) for count in (1, 2, 3))]
    shifts = {root_of(first, 0) % ((1 << 61) - 1) for first in firsts}
    apart = [abs(one - other) for one in shifts for other in shifts if one is not other]
    assert min(apart) > root_of(1_000, 0)
