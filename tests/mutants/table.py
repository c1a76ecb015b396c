"""Bugs to plant, one at a time: each must make a test fail. `make mutants` plants them, see `run.py`.

A snippet is a piece of the file that occurs in it once. It is kept short, so that it survives changes around it; when
it no longer applies, write the same bug for the new code.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MUTANTS", "Mutant"]


@dataclass(frozen=True)
class Mutant:
    """A bug as data."""

    part: str
    """What the bug is in."""
    breaks: str
    """What no longer holds."""
    file: str
    """The file, in the package."""
    snippet: str
    """What stands there."""
    replacement: str
    """What stands there with the bug."""
    tests: tuple[str, ...]
    """Tests that should catch it, without their `tests/`; if they do not, all quick tests are asked."""


CREDIT = ("unit/link/test_credit.py", "unit/link/test_sender.py")
COMPLETION = ("unit/link/test_ledger.py", "unit/ingress/test_roots.py")
ROUTING = ("conformance/test_flows.py", "conformance/test_switch.py")
SENDER = ("unit/link/test_sender.py",)
ABSENCE = ("unit/link/test_absence.py",)
WINDOW = ("unit/ingress/test_window.py",)
DEPTH = ("unit/link/test_depth.py", "unit/link/test_load.py")
CHOICE = ("unit/link/test_choice.py", "unit/link/test_load.py", "unit/link/test_sharing.py")
FEEDBACK = ("unit/runtime/test_feedback.py",)
KEYS = ("unit/runtime/test_keys.py",)
KEY_GROUPS = ("unit/link/test_key_groups.py",)
PASSING = ("unit/runtime/test_passing.py",)
PACE = ("unit/runtime/test_pace.py",)
BATCHER = ("unit/runtime/test_batcher.py",)
QUEUE = ("unit/link/test_message_queue.py",)
BATCH_SIZE = ("unit/runtime/test_batch_size.py",)
AUTO = ("unit/runtime/test_auto_batch.py", "unit/runtime/test_auto_batch_worker.py")
COLUMNS = ("unit/runtime/test_columns.py",)
LOOPS = ("conformance/test_loops.py",)
JOINS = ("conformance/test_joins.py", "conformance/test_incomplete_joins.py")
CANCELLING = ("conformance/test_cancelling.py",)
IDS = ("unit/link/test_ids.py",)
SENT_AGAIN = ("unit/ingress/test_sent_again.py",)
UPDATES = ("conformance/test_updates.py",)
LOSSY = ("property/test_lossy_graphs.py",)
ATTEMPTS = (
    "property/test_lossy_graphs.py::test_where_a_node_gives_other_messages_each_time_all_that_comes_of_an_input_is_of_one_attempt",
)
WORDS = ("unit/link/test_words.py",)
DOOR = ("unit/actors/test_door.py",)
TELLING = ("unit/actors/test_telling.py",)
IN_TURN = ("unit/actors/test_in_turn.py",)
HEDGING = ("unit/runtime/test_hedge.py",)
RACE = ("unit/runtime/test_race.py",)
COSTS = ("unit/test_costs.py",)

MUTANTS = (
    # -- credit
    Mutant(
        "credit", "the window of messages", "link/credit.py",
        "return max(0, self._messages_limit - self.messages_out)", "return self._messages_limit", CREDIT,
    ),
    Mutant(
        "credit", "the window of bytes", "link/credit.py",
        "if self.bytes_out >= self._bytes_limit:", "if self.bytes_out > self._bytes_limit:", CREDIT,
    ),
    Mutant(
        "credit", "bytes come back", "link/credit.py",
        "self.bytes_out -= body_bytes", "pass", CREDIT,
    ),
    Mutant(
        "credit", "one message always passes", "link/credit.py",
        "if self.messages_out == 0:", "if self.bytes_out < 0:", CREDIT,
    ),
    Mutant(
        "credit", "no more frames ahead than are useful", "link/lanes.py",
        "len(self.unanswered) < self.load", "len(self.unanswered) <= self.load", SENDER,
    ),
    Mutant(
        "credit", "a slow way has more frames", "link/depth.py",
        "1 + math.ceil(lag_s", "2 + 0 * math.ceil(lag_s", DEPTH,
    ),
    Mutant(
        "credit", "a queue is no slow way", "link/load.py",
        "min(self.round_trip_s, max(0.0, elapsed_s - feedback.held_s))", "elapsed_s", DEPTH,
    ),
    Mutant(
        "credit", "on a slow way more messages may be under way", "link/lanes.py",
        "link.credit.widen(max(LINK_MESSAGES, limit * load", "(max(LINK_MESSAGES, limit * load", DEPTH,
    ),
    Mutant(
        "credit", "a number that was given holds on a slow way", "link/lanes.py",
        "if load.lag_s and self._options.link_messages is None:", "if load.lag_s:", DEPTH,
    ),
    Mutant(
        "credit", "work is sent ahead for an absence", "link/load.py",
        "self.lag_s = away_s + ", "self.lag_s = ", DEPTH,
    ),
    Mutant(
        "credit", "an absence is forgotten", "link/absence.py",
        "elif now > self._until:", "elif False:", ABSENCE,
    ),
    Mutant(
        "credit", "a window covers an absence", "ingress/window.py",
        "took < max(_GROW_S, away_s)", "took < _GROW_S", WINDOW,
    ),
    Mutant(
        "credit", "a full report leaves while the driver is away", "actors/telling.py",
        "len(self._sent) < _AHEAD or self._may_go_ahead", "len(self._sent) < _AHEAD", TELLING,
    ),
    Mutant(
        "credit", "reports ahead keep within their bytes", "actors/telling.py",
        "< _MOST_AHEAD_BYTES", "< 1 << 60", TELLING,
    ),
    Mutant(
        "credit", "a frame keeps within the credit", "link/sender.py",
        "count = min(share, limit, link.credit.room())", "count = min(share, limit)", SENDER,
    ),
    Mutant(
        "credit", "feedback frees what waits", "link/lanes.py",
        "lane.idle += not link.unanswered", "lane.idle += 0", SENDER,
    ),
    Mutant(
        "credit", "each priority has credit of its own", "link/lanes.py",
        "{\"high\": Kind.HIGH,", "{\"high\": Kind.DATA,", SENDER,
    ),
    # -- completion
    Mutant(
        "completion", "a repeated report is known", "link/ledger.py",
        "if message_id in self.finished:", "if message_id in self.open:", COMPLETION,
    ),
    Mutant(
        "completion", "a child may be reported before its parent", "link/ledger.py",
        "if output not in self.finished and", "if", COMPLETION,
    ),
    Mutant(
        "completion", "outputs are announced", "link/ledger.py",
        "self.open.add(output)", "pass", COMPLETION,
    ),
    Mutant(
        "completion", "a straight root waits for its last stage", "ingress/roots.py",
        "if after == whole:", "if after:", COMPLETION,
    ),
    Mutant(
        "completion", "a message without outputs ends a straight root", "ingress/roots.py",
        "stage.index + 1 if count else len(self._chain)", "stage.index + 1", COMPLETION,
    ),
    Mutant(
        "completion", "forgetting a call leaves the others", "ingress/roots.py",
        "return [root for root in self._ledgers if call_of(root) == call]", "return list(self._ledgers)", COMPLETION,
    ),
    Mutant(
        "completion", "every output of a message is followed", "ingress/roots.py",
        "            for index in range(count):\n                yield",
        "            for index in range(1):\n                yield", ("conformance/test_flows.py",),
    ),
    # -- routing
    Mutant(
        "routing", "a route takes one branch", "runtime/ways.py",
        "if goes_along(edge, destination):", "if True:", ROUTING,
    ),
    Mutant(
        "routing", "every successor gets a column", "runtime/ways.py",
        "for edge in self._stage.edges:\n            if goes_along(edge, None)",
        "for edge in self._stage.edges[:1]:\n            if goes_along(edge, None)", ROUTING,
    ),
    Mutant(
        "routing", "the caller's side knows the branch", "runtime/outbox.py",
        "if chosen is not None:\n            self", "if False:\n            self", ROUTING,
    ),
    Mutant(
        "routing", "a routed message is passed on bare", "runtime/ways.py",
        "return output.destination, output.value", "return output.destination, output", ROUTING,
    ),
    Mutant(
        "routing", "the first predicate that is true wins", "runtime/bound.py",
        "in enumerate(predicates):", "in list(enumerate(predicates))[::-1]:", ROUTING,
    ),
    Mutant(
        "routing", "branches have numbers of their own", "patterns.py",
        "enumerate(graphs[1:], start=1)", "enumerate(graphs[1:], start=0)", ROUTING,
    ),
    Mutant(
        "routing", "idle replicas share what waits", "link/sender.py",
        "-(-waiting // lane.idle) if", "waiting if", SENDER,
    ),
    Mutant(
        "routing", "the better one of two is chosen", "link/choice.py",
        "if rivals < least:", "if rivals > least:", CHOICE,
    ),
    Mutant(
        "routing", "a replica on this host is among them", "link/choice.py",
        "may) if near else None", "may) if not near else None", CHOICE,
    ),
    Mutant(
        "routing", "who waited for others expects to wait again", "link/load.py",
        "self._others_s += _NEWEST", "self._others_s += 0", CHOICE,
    ),
    Mutant(
        "routing", "an answer that was kept back is not taken for one that came from afar", "link/load.py",
        " - feedback.late_s", "", CHOICE,
    ),
    Mutant(
        "routing", "a slow replica is tried again", "link/load.py",
        "max(0.0, 1.0 - (now", "max(1.0, 1.0 - (now", CHOICE,
    ),
    Mutant(
        "routing", "large payloads stay on their host", "link/load.py",
        "if not self.is_near:", "if self.is_near:", CHOICE,
    ),
    Mutant(
        "routing", "what is dropped is in nobody's way", "runtime/inbox.py",
        "self.ahead -= before - len(one.messages.ids)", "pass", FEEDBACK,
    ),
    Mutant(
        "routing", "facts go with their messages", "link/message.py",
        "taken.facts = self._facts.take(taken.roots)", "self._facts.take(taken.roots)", SENDER,
    ),
    Mutant(
        "routing", "the order of what waits", "link/message.py",
        "del self.roots[:count], self.ids[:count], self.values[:count]",
        "del self.roots[-count:], self.ids[-count:], self.values[-count:]", SENDER,
    ),
    Mutant(
        "routing", "control words reach every replica", "link/sender.py",
        "for link in to.main.links:", "for link in to.main.links[:1]:", SENDER,
    ),
    Mutant(
        "routing", "a key has one replica", "link/sender.py",
        "queue, lane.links[replica], full_only", "queue, None, full_only", SENDER,
    ),
    Mutant(
        "routing", "no group of keys moves without need", "link/key_groups.py",
        "return max(range(replicas), key=lambda replica: _mixed(seed ^ replica))", "return seed % replicas", KEY_GROUPS,
    ),
    Mutant(
        "routing", "keys go with their messages", "link/message.py",
        "self._keys.note({message_id: key})", "pass", SENDER,
    ),
    Mutant(
        "routing", "a message waits for the one before it of its key", "runtime/keys.py",
        "if key in self._held:", "if False:", KEYS,
    ),
    Mutant(
        "routing", "who waits for a key is let in when it is free", "runtime/outbox.py",
        "self.on_end(item.message_id)", "pass", ("conformance/test_order_by_key.py",),
    ),
    Mutant(
        "routing", "an input that was given up frees its key", "runtime/inbox.py",
        "for message_id in self._keys.at_work(roots):", "for message_id in ():", KEYS,
    ),
    # -- loops, joins and cancelling
    Mutant(
        "loops", "a hop is counted", "runtime/ways.py",
        "counted[number] += 1", "pass", LOOPS,
    ),
    Mutant(
        "loops", "what waits for a way back holds up nobody", "link/lanes.py",
        "return self.kind is not Kind.BACK", "return True", SENDER,
    ),
    Mutant(
        "loops", "hops go with their messages", "link/message.py",
        "self._hops.note({message_id: hops})", "pass", LOOPS,
    ),
    Mutant(
        "loops", "an input has a budget of messages", "ingress/roots.py",
        "return News.OVER if is_over else News.DONE", "return News.DONE", LOOPS,
    ),
    Mutant(
        "joins", "a root that waits at a join is not done", "ingress/roots.py",
        "(ledger.open or ledger.parked)", "ledger.open", JOINS,
    ),
    Mutant(
        "joins", "the first join closes before those behind it", "link/ledger.py",
        "return min(self.parked.values())", "return max(self.parked.values())", (*COMPLETION, *JOINS),
    ),
    Mutant(
        "joins", "what waits for others leaves the window free", "ingress/call.py",
        "return len(self.parked) + (len(self._held) if self.parked else 0)", "return 0", JOINS,
    ),
    Mutant(
        "joins", "keys of two calls do not meet", "runtime/groups.py",
        "return (call_of(item.root), key)", "return (0, key)", ("unit/runtime/test_groups.py",),
    ),
    Mutant(
        "routing", "what is worked on at once passes nothing that waits", "runtime/inbox.py",
        "not self.is_paused and self.is_empty", "not self.is_paused", ("unit/runtime/test_inbox.py",),
    ),
    Mutant(
        "routing", "a message with a key waits for the one before it, also if it is alone", "runtime/inbox.py",
        " or (self._keys is not None and messages.keys)", "", ("unit/runtime/test_inbox.py",),
    ),
    Mutant(
        "streams", "what calls bring waits until what is on the stream has arrived", "actors/telling.py",
        "if self._called_for is not None or self._sent:", "if self._called_for is not None:", TELLING,
    ),
    Mutant(
        "overload", "what waits for another attempt is bounded for lone messages, too", "runtime/column_worker.py",
        " or len(self._again) >= PARKED_LIMIT", "", ("unit/runtime/test_at_once.py",),
    ),
    Mutant(
        "routing", "what replicas may die of is not worked on at once", "runtime/inbox.py",
        "is_apart = self._watches(messages) or", "is_apart =", ("unit/runtime/test_inbox.py",),
    ),
    Mutant(
        "cancelling", "what waits is dropped", "runtime/inbox.py",
        "before, one.messages = len(one.messages.ids), one.messages.without(roots)",
        "before = len(one.messages.ids)", ("unit/runtime/test_inbox.py",),
    ),
    Mutant(
        "cancelling", "async code is cancelled", "runtime/task_worker.py",
        "(is_async or item.is_pausing)", "item.is_pausing", CANCELLING,
    ),
    Mutant(
        "cancelling", "a call that was left is given up as a whole", "runtime/cancelled.py",
        "or call_of(root) in self._calls", "or False", CANCELLING,
    ),
    # -- batching
    Mutant(
        "batching", "a full batch is due", "runtime/batcher.py",
        "if len(self) >= self._policy.max_size:", "if len(self) > self._policy.max_size:", BATCHER,
    ),
    Mutant(
        "batching", "a batch waits for its oldest message", "runtime/batcher.py",
        "self._since[0] + longest", "self._since[-1] + longest", BATCHER,
    ),
    Mutant(
        "batching", "what was cut ages nothing", "runtime/batcher.py",
        "del self._since[:size]", "pass", BATCHER,
    ),
    Mutant(
        "batching", "only ended calls stop waiting", "runtime/batcher.py",
        "all(call_of(root) in self._ended for root in self._waiting.roots)",
        "any(call_of(root) in self._ended for root in self._waiting.roots)", BATCHER,
    ),
    Mutant(
        "batching", "a batch is in time for its members", "runtime/batcher.py",
        "if now + self._patience_for(place + 1) > earliest:", "if False:", BATCHER,
    ),
    Mutant(
        "batching", "a deadline that cannot be kept holds up nobody", "runtime/batcher.py",
        "deadline if deadline >= soonest else math.inf", "deadline", BATCHER,
    ),
    Mutant(
        "batching", "a size grows only while that saves something", "runtime/batch_size.py",
        "if gain - doubt >= _WORTH:", "if gain - doubt >= 0.0:", BATCH_SIZE,
    ),
    Mutant(
        "batching", "a call stays within its time", "runtime/batch_size.py",
        "self._ceiling.size, self._most_in_time()", "self._ceiling.size", BATCH_SIZE,
    ),
    Mutant(
        "batching", "what ran out of memory is not tried again soon", "runtime/batch_size.py",
        "self._ceiling.note_out_of_memory(size)", "pass", BATCH_SIZE,
    ),
    Mutant(
        "batching", "an idle node waits for nothing", "runtime/auto_batch.py",
        "if self._is_busy() else 0.0", "if True else 0.0", AUTO,
    ),
    Mutant(
        "batching", "what comes while the node works goes along", "runtime/batch_worker.py",
        "while self._auto is not None and self._slots.free < 1:", "while False:", AUTO,
    ),
    Mutant(
        "batching", "a batch that ran out of memory is not made again as it is", "runtime/batch_worker.py",
        "if is_too_large and isinstance(error, Exception):", "if False:", AUTO,
    ),
    Mutant(
        "batching", "facts stay with what waits", "link/message.py",
        "                if left:", "                if False:", BATCHER,
    ),
    Mutant(
        "batching", "nothing is kept of a message that has left", "link/message.py",
        "        if not said:\n            self._counts = {}", "", QUEUE,
    ),
    Mutant(
        "batching", "an answer has an entry for each input", "runtime/columns.py",
        "if len(rows) != size:", "if len(rows) > size:", COLUMNS,
    ),
    Mutant(
        "batching", "rows go to their parents", "runtime/columns.py",
        "entries[parent].append(row)", "entries[0].append(row)", COLUMNS,
    ),
    Mutant(
        "batching", "None is nothing", "runtime/columns.py",
        "else [] if row is None else [row]", "else [row]", COLUMNS,
    ),
    Mutant(
        "joins", "a group that has begun since the word to close stays open", "runtime/groups.py",
        "name in self._groups and self._holds(name, ids)", "name in self._groups", ("unit/runtime/test_groups.py",),
    ),
    # -- pace
    Mutant(
        "pace", "what waits is sent by a timer", "runtime/outbox.py",
        "call_later(wait_s, self._flush_now)", "call_later(wait_s + 600.0, self._flush_now)", PACE,
    ),
    Mutant(
        "pace", "a full frame does not wait", "runtime/outbox.py",
        "self._sender.flush(full_only=True)", "self._sender.has_waiting", PACE,
    ),
    Mutant(
        "pace", "nothing waits for long", "runtime/pace.py",
        "min(_WORK_PER_SEND * (ended - begun), _LONGEST_S)", "_WORK_PER_SEND * (ended - begun)", PACE,
    ),
    Mutant(
        "pace", "who has no more to do sends at once", "runtime/outbox.py",
        "if self._has_more() else 0.0", "if True else 0.0", PACE,
    ),
    # -- results in bulk
    Mutant(
        "completion", "many inputs that end together are as many fewer under way", "ingress/outcomes.py",
        "call.live -= len(roots)", "call.live -= 1", ("conformance/test_flows.py",),
    ),
    Mutant(
        "completion", "an ordered call takes results one by one", "ingress/call.py",
        "not (self._ordered or self.errors", "not (self.errors", ("unit/ingress/test_call.py",),
    ),
    Mutant(
        "losses", "an input is kept until it is done", "ingress/losses.py",
        "self._inputs.update(zip(roots,", "dict().update(zip(roots,", LOSSY,
    ),
    Mutant(
        "cancelling", "an input that was given up is followed no further", "ingress/outcomes.py",
        "self._roots.drop(roots)\n        self._losses.forget(roots)\n        self._take_back", "self._take_back",
        CANCELLING,
    ),
    Mutant(
        "credit", "a frame is answered when its last message is taken", "runtime/inbox.py",
        "self._add(_Waiting(frame, frame.messages, on_taken))",
        "on_taken() or self._add(_Waiting(frame, frame.messages, _nothing))", ("unit/runtime/test_inbox.py",),
    ),
    # -- overload
    Mutant(
        "overload", "the last tenth is for urgent asks", "ingress/admission.py",
        "max_asks - max_asks // 10 if", "max_asks if", ("unit/ingress/test_admission.py",),
    ),
    Mutant(
        "overload", "an idle run tries every ask", "ingress/admission.py",
        "if under_way:", "if True:", ("unit/ingress/test_admission.py",),
    ),
    Mutant(
        "overload", "asks that found more say nothing", "ingress/waits.py",
        "if seen.found <= under_way", "if True", ("unit/ingress/test_waits.py",),
    ),
    Mutant(
        "overload", "an ask that has ended makes room", "ingress/admission.py",
        "ask = self._asks.pop(call, None)", "ask = self._asks.get(call)", ("unit/ingress/test_admission.py",),
    ),
    Mutant(
        "overload", "what would end too late is not begun", "runtime/shedding.py",
        "elif takes_s > deadline - now and not is_last:", "elif False:", ("unit/runtime/test_shedding.py",),
    ),
    Mutant(
        "overload", "an idle node tries what seems in vain", "runtime/shedding.py",
        "and not is_last:", "and True:", ("unit/runtime/test_shedding.py",),
    ),
    Mutant(
        "overload", "the nodes behind count too", "link/lanes.py",
        "self.rest_s = feedback.rest_s", "pass", ("unit/runtime/test_shedding.py",),
    ),
    Mutant(
        "overload", "what waits for another attempt is bounded", "runtime/column_worker.py",
        "while len(self._again) >= PARKED_LIMIT:", "while False:", ("unit/runtime/test_parked.py",),
    ),
    # -- attempts
    Mutant(
        "completion", "one attempt of an input stands", "ingress/losses.py",
        "self.begin_anew = keeps and plan.begins_anew", "self.begin_anew = False", ATTEMPTS,
    ),
    Mutant(
        "completion", "an attempt that is taken back is told nothing of", "ingress/outcomes.py",
        "self._kept.pop(root, None)\n\n    def clear", "self._kept.get(root)\n\n    def clear", ATTEMPTS,
    ),
    Mutant(
        "completion", "results wait where an input may begin anew", "ingress/outcomes.py",
        "if root in self._roots and self._losses.begin_anew:", "if False:", ATTEMPTS,
    ),
    Mutant(
        "completion", "a message that is parked is no longer on its way", "link/ledger.py",
        "(one, -one)", "(one, 1 * one)", ("unit/ingress/test_sent_again.py",),
    ),
    Mutant(
        "completion", "the end of a group is said again to a join that was cut off", "ingress/ingress.py",
        "self._joins.close_again(replica.stage)", "pass", LOSSY,
    ),
    # -- updates
    Mutant(
        "updates", "what is under way is finished before another version goes on", "runtime/inbox.py",
        "if lane is None or self.is_paused:", "if lane is None:", ("unit/runtime/test_inbox.py",),
    ),
    Mutant(
        "updates", "the old version is closed", "runtime/replica.py",
        "await asyncio.wait([self._close_soon(before)], timeout=_CLOSE_S)", "pass", UPDATES,
    ),
    Mutant(
        "updates", "counts go on", "runtime/replica.py",
        "count=self._counts[node.name],", "count=NodeCount(),", UPDATES,
    ),
    Mutant(
        "updates", "options that are unset stay as they are", "graph/update.py",
        "new = replace(new, options=_with_unset(new.options, old.options))", "pass", UPDATES,
    ),
    # -- ids
    Mutant(
        "ids", "siblings differ", "link/ids.py",
        "(stage + 2) * _STAGE + index)", "(stage + 2) * _STAGE)", IDS,
    ),
    Mutant(
        "ids", "consumers differ", "link/ids.py",
        "(parent * _BASE + (stage + 2) * _STAGE + index)", "(parent * _BASE + 2 * _STAGE + index)", IDS,
    ),
    Mutant(
        "ids", "the ids of a column are those of its messages", "link/ids.py",
        "offset = (stage + 2) * _STAGE", "offset = (stage + 1) * _STAGE", IDS,
    ),
    Mutant(
        "ids", "the inputs of a call differ from those of another", "link/ids.py",
        "return call << _CALL_SHIFT | position", "return call << 4 | position", IDS,
    ),
    Mutant(
        "ids", "a root knows its position", "link/ids.py",
        "return root & (1 << _POSITION_BITS) - 1", "return root & (1 << 8) - 1", IDS,
    ),
    Mutant(
        "ids", "replicas and the caller's side derive the same ids", "runtime/ways.py",
        "child_id(item.message_id, edge.target, index)", "child_id(item.message_id, edge.target, index + 1)",
        ("conformance/test_flows.py",),
    ),
    # -- losses
    Mutant(
        "losses", "a join counts a message once", "runtime/join_worker.py",
        "elif self._seen.again(item.message_id):", "elif False:", LOSSY,
    ),
    Mutant(
        "losses", "a stream goes on where it was", "ingress/losses.py",
        "if index < given.get(message_id, 0):", "if index < 0:", SENT_AGAIN,
    ),
    Mutant(
        "losses", "what is sent again has the ids that it had", "ingress/losses.py",
        "ids = [first_id(root, stage) for root in again]",
        "ids = [first_id(root, stage + 1) for root in again]", SENT_AGAIN,
    ),
    Mutant(
        "losses", "nothing is sent to who is lost", "link/lanes.py",
        "self.is_up = is_up", "self.is_up = True", ("unit/link/test_sender.py",),
    ),
    Mutant(
        "losses", "what was on its way to who is lost is nobody's", "link/lanes.py",
        "lane.links[number] = self._link(number)", "lane.links[number].is_up = not is_down", LOSSY,
    ),
    Mutant(
        "losses", "one count does not tell what is lost", "ingress/losses.py",
        "and before.get(root, _NONE) & ids:", "and ids:", SENT_AGAIN,
    ),
    Mutant(
        "losses", "the reports of what was finished are waited for", "ingress/recovery.py",
        "if not is_overdue and not is_due:", "if False:", ("unit/ingress/test_recovery.py",),
    ),
    Mutant(
        "losses", "only who was begun is blamed", "ingress/losses.py",
        "and not self._roots.is_finished(stage, root, message_id):", ":", SENT_AGAIN,
    ),
    Mutant(
        "losses", "the caller's side is told that a suspect begins", "runtime/quarantine.py",
        "self._begin(root, message_id)", "pass",
        ("unit/runtime/test_quarantine.py",),
    ),
    Mutant(
        "losses", "one suspect at a time", "runtime/quarantine.py",
        "if self._gate.enter(root, message_id, _ONE):", "if self._gate.enter(root, message_id, message_id):",
        ("unit/runtime/test_quarantine.py",),
    ),
    Mutant(
        "losses", "a suspect is marked", "ingress/losses.py",
        "is_suspect=root in self._replays.suspects", "is_suspect=False", SENT_AGAIN,
    ),
    Mutant(
        "losses", "a copy that is on its way is not lost", "ingress/roots.py",
        "if not any(one in held for one in ledger.finished)", "if True", SENT_AGAIN,
    ),
    Mutant(
        "losses", "what was lost before it was sent again says nothing", "ingress/replays.py",
        "covered is not None and covered > before", "covered is not None", ("unit/ingress/test_replays.py",),
    ),
    Mutant(
        "losses", "peers are told who is in a lost one's place", "ingress/recovery.py",
        "(self._words, link, place, self._gone", "(self._words, link, None, self._gone", LOSSY,
    ),
    Mutant(
        "losses", "a message that fails the second time is not known to have failed before", "ingress/losses.py",
        "elif failure.message_id not in failed:", "else:", LOSSY,
    ),
    Mutant(
        "losses", "nothing is taken of an old epoch", "runtime/replica.py",
        "if frame.epoch in self.refused:", "if False:", ("unit/runtime/test_refused_epochs.py",),
    ),
    Mutant(
        "losses", "who is ended by us says nothing about its inputs", "ingress/losses.py",
        "if not by_us and root in self._roots", "if root in self._roots", SENT_AGAIN,
    ),
    # -- hedging
    Mutant(
        "hedging", "each takes of what is earned", "runtime/hedge.py",
        "self._tokens -= 1.0", "pass", HEDGING,
    ),
    Mutant(
        "hedging", "none while many calls are slow", "runtime/hedge.py",
        "self._tokens >= 1.0 and self._slow <= _MOST_SLOW", "self._tokens >= 1.0", HEDGING,
    ),
    Mutant(
        "hedging", "its slot comes back", "runtime/race.py",
        "self._slots.give_back()", "pass", RACE,
    ),
    Mutant(
        "hedging", "it has no more time than its attempt", "runtime/race.py",
        "wait([second], timeout=left_s)", "wait([second])", RACE,
    ),
    Mutant(
        "hedging", "one that failed does not end the other", "runtime/race.py",
        "if _succeeded(second) and", "if", RACE,
    ),
    # -- streams
    Mutant(
        "streams", "what comes too early waits for what stands before it", "link/order.py",
        "if place.number != lane.next:", "if False:", ("unit/link/test_order.py",),
    ),
    Mutant(
        "streams", "what comes again is told apart", "link/order.py",
        "place.number < lane.next or", "False or", ("unit/link/test_order.py",),
    ),
    Mutant(
        "streams", "a checksum is looked at", "link/words.py",
        "!= checksum:", "< 0:", WORDS,
    ),
    Mutant(
        "streams", "a word has a longest length", "link/words.py",
        "if length > self.most_bytes:", "if False:", WORDS,
    ),
    Mutant(
        "streams", "who knocks proves itself", "actors/door.py",
        "not hmac.compare_digest(proof,", "hmac.compare_digest(b'',", DOOR,
    ),
    Mutant(
        "streams", "who answers proves itself", "actors/door.py",
        "if word is not Word.WELCOME or not hmac.compare_digest(payload, door.proof(Word.WELCOME)):",
        "if word is not Word.WELCOME:", DOOR,
    ),
    Mutant(
        "streams", "strangers get short words only", "actors/door.py",
        "self._loop, most_bytes=_GREETING_BYTES", "self._loop, most_bytes=MOST_BYTES", DOOR,
    ),
    Mutant(
        "streams", "only processes of the same user are let in", "actors/door.py",
        "if _user_of(connection) != os.getuid() or", "if", DOOR,
    ),
    Mutant(
        "streams", "two reports are under way at most", "actors/telling.py",
        "if self._is_free and (len(self._sent) < _AHEAD or self._may_go_ahead):", "if self._is_free:", TELLING,
    ),
    Mutant(
        "calls", "an answer to a question brings no report while another one is under way", "actors/telling.py",
        "self._held and self._is_free and", "self._held and", TELLING,
    ),
    Mutant(
        "calls", "what is about to begin is told by a call whose next one says that it is known", "actors/telling.py",
        " and not self._outbox.tells_beginnings:", ":", TELLING,
    ),
    Mutant(
        "calls", "reports are taken in by their numbers", "actors/in_turn.py",
        "else order.arrive(place, item)", "else [item]", IN_TURN,
    ),
    Mutant(
        "streams", "a report whose stream broke comes again", "actors/telling.py",
        "self._aside.extendleft(reversed(self._sent))", "pass", TELLING,
    ),
    Mutant(
        "streams", "news that waited are told when the last report has arrived", "actors/telling.py",
        "elif self._outbox.has_news:", "elif False:", TELLING,
    ),
    Mutant(
        "streams", "news are whole when they are said to be there", "runtime/outbox.py",
        "            self._report.results += done.values\n        self._note_ends(done.ids)",
        "            self._note_ends(done.ids)\n            self._report.results += done.values",
        ("unit/runtime/test_news.py",),
    ),
    Mutant(
        "completion", "what a stage tells late of a straight root is no news", "ingress/roots.py",
        "is_new = finished.get(root, whole) < after", "is_new = root in finished", COMPLETION,
    ),
    Mutant(
        "losses", "who asks what is held is told what has moved on", "runtime/outbox.py",
        "roots, ids = self._passed.take()", "roots, ids = list[int](), list[int]()", PASSING,
    ),
    Mutant(
        "losses", "what a suspect came to is told at once", "runtime/outbox.py",
        "self._passes_on = False", "pass", PASSING,
    ),
    Mutant(
        "losses", "nothing is told late where it cannot be sent again", "plan/compile.py",
        "if not plan.is_straight or plan.once is not None", "if not plan.is_straight", PASSING,
    ),
    # -- costs
    Mutant(
        "costs", "a message takes no more steps in a replica than it needs", "runtime/column_worker.py",
        "                append(call(value))",
        "                append(call(value))\n                at = node.running", COSTS,
    ),
    Mutant(
        "costs", "a message takes no more steps on the caller's side than it needs", "ingress/roots.py",
        "[known if pop(root, None) is None else done for root in roots]",
        "[known if not (root in finished) or pop(root, None) is None else done for root in roots]", COSTS,
    ),
    Mutant(
        "costs", "a message takes no more memory than it needs", "link/wire.py",
        "    messages = Messages(roots, ids, values, _shifted",
        "    ids = list(map(int.__neg__, map(int.__neg__, ids)))\n    messages = Messages(roots, ids, values, _shifted",
        COSTS,
    ),
)  # fmt: skip
