"""How a replica tells its driver what is new: on the driver's stream, or as the answer to a call.

Where there is no stream, two calls of the driver may bring a report. One of `collect` is always outstanding. And one
that brings a lone message may wait for a moment for what comes of it: so a question that is quickly answered takes one
call and not two. Which of the two arrives first is not known, so the driver goes by the reports' numbers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Literal

from penguiray.actors.stream import Stream
from penguiray.link.report import Report
from penguiray.link.wire import Packed
from penguiray.link.words import MOST_BODY_BYTES, Word, joined
from penguiray.runtime.outbox import Outbox

__all__ = ["Teller"]

_HOLD_S = 0.002
"""How long the answer to a call waits for a report: as long as a call takes, or two. Who waits is a thread that decodes
frames; longer would hold up the next ones, and brings little: a question that takes longer does not feel the call."""


class Teller:
    """Sends one report at a time, the next when that has arrived; so little news make a small report, and many a large.

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
        self._stream: Stream | None = None
        self._report: Packed | None = None
        self._number = 0
        self._held: deque[Callable[[Packed | None], None]] = deque()
        self._is: Literal["free", "on the stream", "set aside", "called for"] = "free"

    def note_news(self) -> None:
        """There is something to be told."""
        if self._stream is not None:
            if self._is == "free":
                self._tell(self._stream)
        elif self._held and self._is == "free" and not self._outbox.tells_beginnings:
            self._held.popleft()(self._pack(self._outbox.take_report()))
        else:
            self._wake()

    def hold(self, answer: Callable[[Packed | None], None]) -> None:
        """A call of the driver brought one message: answer it with the next report, or after a moment without.

        What is to be known before something begins never goes this way: nothing says that such an answer has arrived.
        """
        if self._stream is not None:
            answer(None)
            return
        self._held.append(answer)
        asyncio.get_running_loop().call_later(_HOLD_S, self._let_go, answer)

    def _let_go(self, answer: Callable[[Packed | None], None]) -> None:
        if answer in self._held:
            self._held.remove(answer)
            answer(None)

    def _tell(self, stream: Stream) -> None:
        report = self._outbox.take_report()
        self._number = report.number
        header, data, buffers = self._report = self._pack(report)
        if buffers or len(header) + len(data) > MOST_BODY_BYTES:
            self._is = "set aside"
            self._wake()
        else:
            self._is = "on the stream"
            stream.send(Word.REPORT, *joined(header, data))

    def use(self, stream: Stream) -> None:
        """Tell it on this stream from here on."""
        self._stream = stream
        if self._is == "free" and self._outbox.has_news:
            self._tell(stream)

    def note_broken(self, stream: Stream) -> None:
        """A stream is of no use any more."""
        if stream is not self._stream:
            return
        self._stream = None
        if self._is == "on the stream":
            self._is = "set aside"
        self._wake()

    def note_arrived(self, number: int) -> None:
        """The driver says on the stream that it has taken the report of that number in, whichever way that came."""
        if self._is in {"on the stream", "called for"} and number >= self._number:
            self._go_on()

    @property
    def waits_for_call(self) -> bool:
        """Whether `note_called` is due when the driver calls; may be asked from any thread."""
        return self._is == "called for" and self._stream is None

    def note_called(self) -> None:
        """The driver calls: it has what the call before was given, and takes in what it has in that order.

        Where there is a stream that says too little: the next report would go over it, and be taken in by another
        thread while this one is still at the last.
        """
        if self.waits_for_call:
            self._go_on()

    def _go_on(self) -> None:
        self._is, self._report = "free", None
        self._outbox.note_known()
        if self._outbox.has_news:
            self.note_news()

    def give(self) -> Report | Packed | None:
        """What the driver's call is to bring; None if all goes over the stream."""
        if self._is == "set aside":
            self._is = "called for"
            return self._report
        if self._stream is not None or self._is != "free":
            return None
        report = self._outbox.take_report()
        self._is, self._number = "called for", report.number
        return report
