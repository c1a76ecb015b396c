"""What Ray says when a cluster cannot be joined, told in one sentence."""

from __future__ import annotations

import pytest

from penguiray.control.reach import missing_module, why_not_importable, why_not_joined

MISMATCH = (
    "Version mismatch: The cluster was started with:\n"
    "    Ray: {0}\n"
    "    Python: {1}\n"
    "This process on node 10.0.0.7 was started with:\n"
    "    Ray: 2.60.0\n"
    "    Python: 3.11.9\n"
)
"""As `ray._private.utils.check_version_info` of Ray 2.60 writes it; the integration tests provoke the real one."""

NOT_IMPORTED = """The actor died because of an error raised in its creation task, ray::ReplicaActor.__init__()
RuntimeError: The actor with name ReplicaActor failed to import on the worker. This may be because needed library
dependencies are not installed in the worker environment:

Traceback (most recent call last):
  File "function_manager.py", line 741, in _load_actor_class_from_gcs
    actor_class = pickle.loads(pickled_class)
ModuleNotFoundError: No module named '{0}'"""


@pytest.mark.parametrize(
    ("ray", "python", "way_out"),
    [
        ("2.59.0", "3.11.9", "with Ray 2.59.0, or"),
        ("2.60.0", "3.12.1", "with Python 3.12.1, or"),
        ("2.59.0", "3.12.1", "with Ray 2.59.0 and Python 3.12.1, or"),
    ],
)
def test_other_versions_are_named_with_what_to_run_instead(ray: str, python: str, way_out: str) -> None:
    text = why_not_joined("head:6379", MISMATCH.format(ray, python), answers=True, auth_mode="token")
    assert text == (
        f"the cluster at 'head:6379' has Ray {ray} on Python {python}, and this program has Ray 2.60.0 on Python "
        f"3.11.9: both must be the same. Run this program {way_out} start the cluster with this program's"
    )


def test_who_answers_and_does_not_let_in_wants_a_token_and_who_does_not_answer_may_not_run() -> None:
    text = why_not_joined("head:6379", "Failed to connect\nmore", answers=True, auth_mode="unset")
    assert "did not let this program in (Failed to connect)" in text
    assert "RAY_AUTH_MODE is unset here; before the program starts, set RAY_AUTH_MODE=token" in text
    text = why_not_joined("head:6379", "nobody listens there", answers=False, auth_mode="token")
    assert text.startswith("no Ray could be reached at 'head:6379' (nobody listens there). Check the address")


def test_a_module_that_workers_lack_is_named_with_how_to_bring_it_there() -> None:
    ours = missing_module(NOT_IMPORTED.format("penguiray.actors"))
    assert ours == "penguiray.actors"
    assert why_not_importable(ours).startswith("the cluster's workers cannot import penguiray (No module named")
    theirs = missing_module(NOT_IMPORTED.format("torch"))
    assert theirs == "torch"
    assert "install 'torch' on every host" in why_not_importable(theirs)
    assert missing_module("ValueError: no") is None
