"""Every error crosses process borders unchanged."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator

import pytest

import penguiray as pr
from penguiray import errors
from penguiray.errors import PenguirayError

FACTS = {"node": "n", "attempt": 3, "message_id": 17, "trace_id": "f" * 32, "note": ("any", ["fact"])}


def tree(root: type[PenguirayError]) -> Iterator[type[PenguirayError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


def pickled(error: PenguirayError) -> PenguirayError:
    back: PenguirayError = pickle.loads(pickle.dumps(error))  # noqa: S301 - its own bytes
    return back


PUBLIC = [cls for cls in dict.fromkeys(tree(PenguirayError)) if cls.__module__ == errors.__name__]


@pytest.mark.parametrize("cls", PUBLIC, ids=lambda cls: cls.__name__)
def test_an_error_pickles_and_copies_equal_in_type_text_and_facts(cls: type[PenguirayError]) -> None:
    error = cls("what, where, what to do", **FACTS)
    error.add_note("a note")
    for back in (pickled(error), copy.copy(error), copy.deepcopy(error)):
        assert type(back) is cls
        assert str(back) == "what, where, what to do"
        assert back.args == error.args
        assert vars(back) == vars(error)
    assert vars(pickled(cls())) == {}


def test_every_error_is_public_and_in_the_tree() -> None:
    assert {cls.__name__ for cls in PUBLIC} == set(errors.__all__)
    assert set(errors.__all__) <= set(pr.__all__)


def test_the_tree_says_what_the_caller_can_do() -> None:
    parents = {cls.__name__: [base.__name__ for base in cls.__bases__] for cls in PUBLIC if cls is not PenguirayError}
    assert parents == {
        "BudgetExceeded": ["PenguirayError"],
        "Cancelled": ["PenguirayError"],
        "JoinIncomplete": ["PenguirayError"],
        "FlowError": ["PenguirayError"],
        "NotYetError": ["PenguirayError", "NotImplementedError"],
        "StartError": ["PenguirayError"],
        "PlacementError": ["StartError"],
        "RunClosed": ["PenguirayError"],
        "Overloaded": ["PenguirayError"],
        "DeadlineExceeded": ["PenguirayError", "TimeoutError"],
        "NodeError": ["PenguirayError"],
        "MessageTooLarge": ["PenguirayError"],
        "RemoteError": ["PenguirayError"],
        "ResultError": ["PenguirayError"],
        "NoResult": ["ResultError"],
        "ManyResults": ["ResultError"],
        "ReplicaLost": ["PenguirayError"],
        "LinkClosed": ["PenguirayError"],
    }


def test_facts_that_were_not_given_have_defaults() -> None:
    error = pr.NodeError("x")
    assert (error.node, error.attempt, error.message_id, error.trace_id) == ("", 1, 0, "")
    assert pr.DeadlineExceeded().timeout_s is None
