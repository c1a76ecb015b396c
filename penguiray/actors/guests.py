"""The streams that lead to a replica: frames come on them, and on that of the driver reports leave."""

from __future__ import annotations

from penguiray.actors.intake import Intake
from penguiray.actors.stream import WordStream
from penguiray.actors.streams import unpack_ask
from penguiray.actors.telling import Teller
from penguiray.link.words import BrokenWord, Word

__all__ = ["Guests"]


class Guests:
    """Who has a stream to a replica, and what is made of their words. Belongs to the replica's loop."""

    def __init__(self, intake: Intake, teller: Teller) -> None:
        """Nobody has come yet."""
        self._intake = intake
        self._teller = teller
        self._senders: dict[WordStream, int] = {}

    def greet(self, stream: WordStream, sender: int, reads: bool) -> None:
        """A stream is there, of a sender with that number, which may be the one that reads the reports."""
        self._senders[stream] = sender
        if reads:
            self._teller.use(stream)

    def take_word(self, stream: WordStream, word: Word, payload: memoryview) -> None:
        """One of them says something. Raises `BrokenWord` if that is nothing to be said to a replica."""
        if word is Word.FRAME:
            self._intake.by_stream(stream, self._senders[stream], payload)
        elif word is Word.ASK:
            self._teller.note_arrived(unpack_ask(payload))
        else:
            raise BrokenWord(f"a {word.name} to a replica")

    def note_broken(self, stream: WordStream) -> None:
        """A stream has ended."""
        del self._senders[stream]
        self._teller.note_broken(stream)
