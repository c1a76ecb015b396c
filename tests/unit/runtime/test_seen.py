"""A message is new once."""

from __future__ import annotations

import pytest

from penguiray.runtime import seen
from penguiray.runtime.seen import Seen


def test_a_message_is_new_once_and_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "SEEN", 3)
    known = Seen()
    assert [known.again(number) for number in (1, 2, 1, 3, 4, 2, 1)] == [False, False, True, False, False, True, False]
