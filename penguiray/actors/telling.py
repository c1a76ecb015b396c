"""How a replica tells its driver what is new: on the driver's stream, or as the answer to a call.

Where there is no stream, two calls of the driver may bring a report. One of `collect` is always outstanding. And one
that brings a lone message may wait for a moment for what comes of it: so a question that is quickly answered takes one
call and not two. Which of the two arrives first is not known, so the driver goes by the reports' numbers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from penguiray.actors.stream import WordStream
from penguiray.link.report import Report
from penguiray.link.wire import Packed
from penguiray.link.words import MOST_BODY_BYTES, Word, joined
from penguiray.runtime.outbox import Outbox

__all__ = ["Teller"]

_AHEAD = 2
"""Reports that may be under way on the stream, whatever they say."""
_FULL = 1_000
_FULL_BYTES = MOST_BODY_BYTES // 2
"""About so many messages, or with results of so many bytes, a report leaves besides. More would be too large for the
stream if messages differ in size."""
_MOST_AHEAD = 64
"""Most that may be under way in all."""
_MOST_AHEAD_BYTES = 16 << 20
"""Where they have more bytes, no more leave."""
_HOLD_S = 0.002
"""How long the answer to a call waits for a report: as long as a call takes, or two. Who waits is a thread that decodes
frames; longer would hold up the next ones, and brings little: a question that takes longer does not feel the call."""


class _Sent(NamedTuple):
    """A report on its way, or about to be."""

    number: int
    packed: Packed


class Teller:
    """Sends a report, and one more before the first has arrived; the next when there are not two under way any more.

    So little news make a small report, and many a large one, and a lone one need not wait for the word about the last.
    Only what fills a report leaves before that: a driver that is away for a moment must not hold up the work.

    While there is a stream, calls bring only what is too large for it. Once it breaks they bring everything, what was
    under way on it first: that may come twice then, and is no news the second time. Belongs to the loop.
    """

    def __init__(self, outbox: Outbox, pack: Callable[[Report], Packed], wake: Callable[[], None]) -> None:
        """There is no stream yet.

        Args:
            outbox: Has the news.
            pack: Encodes a report.
            wake: Called when there is something for the driver's next call.
        """
        self._outbox = outbox
        self._pack = pack
        self._wake = wake
        self._stream: WordStream | None = None
        self._sent: deque[_Sent] = deque()
        self._aside: deque[_Sent] = deque()
        self._called_for: int | None = None
        self._begins_in: int | None = None
        self._held: deque[Callable[[Packed | None], None]] = deque()

    @property
    def _is_free(self) -> bool:
        """Whether nothing is under way by a call, or has to be."""
        return not self._aside and self._called_for is None

    @property
    def _may_go_ahead(self) -> bool:
        """Whether the news leave before the last ones but one have arrived."""
        is_full = self._outbox.n_news >= _FULL or self._outbox.news_bytes >= _FULL_BYTES
        if not is_full or len(self._sent) >= _MOST_AHEAD:
            return False
        return sum(len(header) + len(data) for _, (header, data, _) in self._sent) < _MOST_AHEAD_BYTES

    def note_news(self) -> None:
        """There is something to be told."""
        if self._stream is not None:
            if self._is_free and (len(self._sent) < _AHEAD or self._may_go_ahead):
                self._tell(self._stream)
        elif self._held and self._is_free and not self._outbox.tells_beginnings:
            self._held.popleft()(self._pack(self._outbox.take_report()))
        else:
            self._wake()

    def hold(self, answer: Callable[[Packed | None], None]) -> None:
        """A call of the driver brought one message: answer it with the next report, or after a moment without.

        What is to be known before something begins never goes this way: nothing says that such an answer has arrived.
        """
        if self._stream is not None or not self._outbox.tells_at_once:
            answer(None)
            return
        self._held.append(answer)
        asyncio.get_running_loop().call_later(_HOLD_S, self._let_go, answer)

    def _let_go(self, answer: Callable[[Packed | None], None]) -> None:
        if answer in self._held:
            self._held.remove(answer)
            answer(None)

    def _tell(self, stream: WordStream) -> None:
        report = self._take_report()
        header, data, buffers = packed = self._pack(report)
        if buffers or len(header) + len(data) > MOST_BODY_BYTES:
            self._aside.append(_Sent(report.number, packed))
            self._wake_in_time()
        else:
            self._sent.append(_Sent(report.number, packed))
            stream.send(Word.REPORT, *joined(header, data))

    def _take_report(self) -> Report:
        report = self._outbox.take_report()
        if report.begun:
            self._begins_in = report.number
        return report

    def use(self, stream: WordStream) -> None:
        """Tell it on this stream from here on."""
        self._stream = stream
        if self._is_free and self._outbox.has_news:
            self._tell(stream)

    def note_broken(self, stream: WordStream) -> None:
        """A stream is of no use any more."""
        if stream is not self._stream:
            return
        self._stream = None
        self._aside.extendleft(reversed(self._sent))
        self._sent.clear()
        self._wake()

    def note_arrived(self, number: int) -> None:
        """The driver says on the stream that it has taken all reports up to that number in, whichever way they came."""
        has_changed = False
        while self._sent and self._sent[0].number <= number:
            self._sent.popleft()
            has_changed = True
        if self._called_for is not None and self._called_for <= number:
            self._called_for, has_changed = None, True
        if has_changed:
            self._go_on(number)

    @property
    def waits_for_call(self) -> bool:
        """Whether `note_called` is due when the driver calls; may be asked from any thread."""
        return self._called_for is not None and self._stream is None

    def note_called(self) -> None:
        """The driver calls: it has what the call before was given, and takes in what it has in that order.

        Where there is a stream that says too little: the next report would go over it, and be taken in by another
        thread while this one is still at the last.
        """
        if self._called_for is not None and self._stream is None:
            number, self._called_for = self._called_for, None
            self._go_on(number)

    def _go_on(self, number: int) -> None:
        """All reports up to a number have arrived."""
        if self._begins_in is not None and self._begins_in <= number:
            self._begins_in = None
            self._outbox.note_known()
        if self._aside:
            self._wake_in_time()
        elif self._outbox.has_news:
            self.note_news()

    def _wake_in_time(self) -> None:
        """Have the driver call for what lies aside, once all that is on the stream has arrived."""
        if not self._sent:
            self._wake()

    def give(self) -> Report | Packed | None:
        """What the driver's call is to bring; None if all goes over the stream."""
        if self._called_for is not None or self._sent:  # those on the stream are to be taken in before it
            return None
        if self._aside:
            self._called_for, packed = self._aside.popleft()
            return packed
        if self._stream is not None:
            return None
        report = self._take_report()
        self._called_for = report.number
        return report
