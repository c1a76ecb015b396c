"""A Ray that a program has started is found by its user's other programs, and by nobody else."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

import pytest

from penguiray.actors.own_ray import OwnRay, leave_note, notes
from penguiray.config import prepare_join
from penguiray.errors import StartError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where notes go; this process is connected to no Ray, and its user has no token."""
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    return tmp_path / "penguiray"


def test_a_note_is_for_its_user_alone_and_tells_address_and_token(folder: Path) -> None:
    leave_note("10.0.0.1:6379", mode="token", token="secret")  # noqa: S106 - no real one

    (path,) = folder.iterdir()
    assert (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
    (own,) = notes()
    assert (own.address, own.token, own.pid) == ("10.0.0.1:6379", "secret", os.getpid())
    assert "secret" not in repr(own)


def test_joining_takes_the_one_ray_of_the_user_and_its_token(folder: Path) -> None:
    leave_note("10.0.0.1:6379", mode="token", token="secret")  # noqa: S106 - no real one

    assert prepare_join(None) == "10.0.0.1:6379"
    assert (os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"]) == ("token", "secret")
    assert folder.exists()


@pytest.mark.usefixtures("folder")
def test_joining_another_address_leaves_the_variables_alone_and_joining_none_says_what_is_missing() -> None:
    with pytest.raises(StartError, match="no Ray of yours was found here: name one"):
        prepare_join(None)
    leave_note("10.0.0.1:6379", mode="token", token="secret")  # noqa: S106 - no real one
    assert prepare_join("10.0.0.2:6379") == "10.0.0.2:6379"
    assert "RAY_AUTH_TOKEN" not in os.environ
    assert "RAY_AUTH_MODE" not in os.environ


def test_of_several_rays_none_is_chosen(folder: Path) -> None:
    leave_note("10.0.0.1:6379", mode="token", token=None)
    note = json.loads((folder / f"{os.getpid()}.json").read_text(encoding="utf-8"))
    (folder / "second.json").write_text(json.dumps({**note, "address": "10.0.0.1:7000"}), encoding="utf-8")

    with pytest.raises(StartError, match=rf"several Rays.*10\.0\.0\.1:7000 of \S+ \(process {os.getpid()}\)"):
        prepare_join(None)


def test_the_note_of_a_program_that_has_ended_is_removed(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    ended = OwnRay("10.0.0.1:6379", "token", None, os.getpid(), "1", 0.0, "ended.py")
    path = folder / "ended.json"
    path.write_text(json.dumps({name: getattr(ended, name) for name in OwnRay.__slots__}), encoding="utf-8")

    assert notes() == []
    assert not path.exists()


def test_a_folder_that_others_can_enter_gets_no_note_and_gives_none(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "penguiray")
    folder.mkdir()
    folder.chmod(0o755)

    leave_note("10.0.0.1:6379", mode="token", token="secret")  # noqa: S106 - no real one

    assert list(folder.iterdir()) == []
    assert "other users can enter" in caplog.text
    assert notes() == []
