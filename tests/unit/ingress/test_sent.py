"""What a handle has sent waits for its readers, one result at a time."""

from __future__ import annotations

import pytest

from penguiray.errors import RunClosed
from penguiray.ingress import sent
from penguiray.ingress.call import State, facts_for
from penguiray.ingress.sent import Outcome, SentCall
from penguiray.link.ids import root_of, trace_id_of

EPOCH = 7


def made(woken: list[int] | None = None) -> SentCall:
    return SentCall(1, epoch=EPOCH, wake=lambda: None if woken is None else woken.append(1))


def admitted(call: SentCall, trace_id: str | None = None) -> str:
    """Admit one more input, as the ingress does."""
    given = call.say(facts_for(trace_id, None, None, 0.0))
    call.next_positions(1)
    call.live += 1
    return given


def ended(call: SentCall, position: int, *values: object) -> None:
    call.live -= 1
    call.put(position, list(values), is_done=True)


def test_results_come_one_at_a_time_each_with_the_trace_id_of_its_input_and_errors_last() -> None:
    call, error = made(), ValueError("x")
    derived, given = admitted(call), admitted(call, "given")
    assert (derived, given) == (trace_id_of(EPOCH, root_of(1, 0)), "given")
    call.put(1, ["early"], is_done=False)
    call.errors[1] = error
    ended(call, 1, "late")
    ended(call, 0, "other")
    outcomes = [call.next_outcome(until_idle=False) for _ in range(4)]
    assert outcomes == [
        Outcome("given", "early"),
        Outcome("given", "late"),
        Outcome("given", error=error),
        Outcome(derived, "other"),
    ]
    assert call.next_outcome(until_idle=False) is State.NOTHING


def test_facts_belong_to_one_input_each_and_are_forgotten_with_it() -> None:
    call = made()
    for trace_id in ("a", None, "b"):
        admitted(call, trace_id)
    roots = [root_of(1, position) for position in range(3)]
    assert {root: facts.trace_id for root, facts in call.facts_of(roots).items()} == {roots[0]: "a", roots[2]: "b"}
    ended(call, 0)
    assert list(call.facts_of(roots)) == [roots[2]]


def test_what_is_under_way_takes_room_and_what_is_unread_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent, "LIVE_LIMIT", 2)
    monkeypatch.setattr(sent, "UNREAD_LIMIT", 2)
    woken: list[int] = []
    call = made(woken)
    for _ in range(2):
        admitted(call)
    assert call.room == 0
    ended(call, 0, "a")
    assert (call.room, call.unread, call.is_full) == (1, 1, False)
    ended(call, 1, "b")
    assert (call.room, call.unread, call.is_full) == (2, 2, True)
    before = len(woken)
    call.next_outcome(until_idle=False)
    assert not call.is_full
    assert len(woken) == before + 1, "who waits for room is woken when a reader makes some"


def test_the_end_is_idleness_where_that_is_asked_for_and_else_the_close_of_the_call() -> None:
    call = made()
    assert call.next_outcome(until_idle=True) is State.END
    admitted(call)
    assert call.next_outcome(until_idle=True) is State.NOTHING
    ended(call, 0, "a")
    assert call.next_outcome(until_idle=True) == Outcome(trace_id_of(EPOCH, root_of(1, 0)), "a")
    assert call.next_outcome(until_idle=True) is State.END
    assert call.next_outcome(until_idle=False) is State.NOTHING
    call.close()
    assert call.next_outcome(until_idle=False) is State.END
    assert call.room == 0


def test_a_failure_is_raised_behind_the_results_that_came_before() -> None:
    call = made()
    admitted(call)
    ended(call, 0, "a")
    call.close(RunClosed("stopped"))
    assert isinstance(call.next_outcome(until_idle=True), Outcome)
    for _ in range(2):
        with pytest.raises(RunClosed, match="stopped"):
            call.next_outcome(until_idle=True)
