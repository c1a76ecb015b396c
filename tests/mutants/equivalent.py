"""Bugs of `sweep.py` that make no difference to anybody, each with the reason: nothing can notice them.

The key is the file, the function, what stands there and what would. One that no longer applies, or that a test kills
all the same, is reported by `make mutation` and goes.
"""

from __future__ import annotations

__all__ = ["EQUIVALENT"]

_ANY_NUMBER = "any number serves that is the same in all processes"
_CALL_TWICE = (
    "some of the call and the attempt is added a second time to all ids of a column, where it moves them alike"
)
_SHORTCUT = "a shortcut: without it the same comes out"
_FOR_PEOPLE = "a text that only people read, who read the code"
_NEVER_USED = "what stands there is not used in this case"

EQUIVALENT: dict[tuple[str, str, str, str], str] = {
    ("link/ids.py", "", "2102207267751834733", "2102207267751834734"): _ANY_NUMBER,
    ("link/ids.py", "", "1124547264420303525", "1124547264420303526"): _ANY_NUMBER,
    ("link/ids.py", "ingress_number", "epoch * _BASE + count", "epoch * _BASE - count"): _ANY_NUMBER,
    ("link/ids.py", "ingress_number", "1", "2"): _ANY_NUMBER,
    (
        "link/ids.py", "child_id",
        "parent * _BASE + (stage + 2) * _STAGE + index", "parent * _BASE + (stage + 2) * _STAGE - index",
    ): _ANY_NUMBER,
    (
        "link/ids.py", "first_id",
        "(seed + position_of(root)) * _BASE + (stage + 2) * _STAGE",
        "(seed + position_of(root)) * _BASE - (stage + 2) * _STAGE",
    ): _ANY_NUMBER,
    ("link/ids.py", "first_id", "stage + 2", "stage - 2"): _ANY_NUMBER,
    ("link/ids.py", "first_id", "2", "3"): _ANY_NUMBER,
    ("link/lanes.py", "Lanes.frame_limit", "0", "1"): "messages have no mean size below a byte",
    ("link/order.py", "", "'T'", "'T!'"): _FOR_PEOPLE,
    ("link/order.py", "InOrder.arrive", "lane.early and lane.next in lane.early", "lane.next in lane.early"): _SHORTCUT,
    (
        "link/sender.py", "Sender._flush",
        "lane.waiting.ids and self._send_next(to, lane, lane.waiting, None, full_only=full)",
        "self._send_next(to, lane, lane.waiting, None, full_only=full)",
    ): _SHORTCUT,
    (
        "link/sender.py", "Sender._flush",
        "queue.ids and self._send_next(to, lane, queue, lane.links[replica], full_only=full)",
        "self._send_next(to, lane, queue, lane.links[replica], full_only=full)",
    ): _SHORTCUT,
    ("link/sender.py", "Sender.queued_bytes", "to.bytes_each", "True"): _SHORTCUT,
    ("ingress/roots.py", "GeneralRoots.finish", "count and stage.edges", "count or stage.edges"): _SHORTCUT,
    ("ingress/roots.py", "GeneralRoots.finish", "count and stage.edges", "stage.edges"): _SHORTCUT,
    ("ingress/roots.py", "GeneralRoots.finish", "count and stage.edges", "count"): _SHORTCUT,
    (
        "ingress/roots.py", "GeneralRoots.finish", "count > self._limit", "count >= self._limit",
    ): "as many outputs as the limit are too many with or without the cut, since their parent counts too",
    (
        "ingress/roots.py", "GeneralRoots.finish",
        "len(ledger.finished) + len(ledger.open) > self._limit and (not ledger.is_done)",
        "len(ledger.finished) + len(ledger.open) > self._limit",
    ): "a report that adds messages leaves some open, so what is done was not above its limit, which is at least 1",
    ("ingress/losses.py", "Losses.note_loss", "0", "1"): _NEVER_USED,
    (
        "ingress/losses.py", "Losses.note_loss",
        "not by_us and root in self._roots and (not self._roots.is_finished(stage, root, message_id))",
        "not by_us and (not self._roots.is_finished(stage, root, message_id))",
    ): _SHORTCUT,
    ("ingress/replays.py", "Replays.lose", "0", "1"): "one death is as far from too many as none",
    (
        "ingress/replays.py", "Replays.lose",
        "before is not None and covered is not None and (covered > before)",
        "before is not None and covered > before",
    ): "for type checkers: what was sent before is left out above where nothing is covered",
    ("runtime/keys.py", "", "'W'", "'W!'"): _FOR_PEOPLE,
    ("runtime/keys.py", "KeyGate.leave", "0", "1"): _NEVER_USED,
}  # fmt: skip
