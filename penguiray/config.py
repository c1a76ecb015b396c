"""The only reader of the environment. An argument wins over a variable, a variable over the default.

Inside a node the default is the local engine, whatever the variable says: it is meant for the program.

| variable | meaning | default |
| --- | --- | --- |
| `PENGUIRAY_ENGINE` | engine of flows that name none: `ray` or `local` | `ray` |
| `PENGUIRAY_PROGRESS` | `0` silences the progress view | on |
| `RAY_ADDRESS` | Ray's own: the cluster to join; set inside Ray jobs | start one here |
"""

from __future__ import annotations

import functools
import logging
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from penguiray.actors.own_ray import notes
from penguiray.errors import FlowError, StartError
from penguiray.graph.inside import inside_node

__all__ = [
    "EngineName", "drawn_token", "engine_name", "is_notebook", "prepare_join", "prepare_ray", "staying_local",
    "stays_local", "wants_progress",
]  # fmt: skip

EngineName = Literal["ray", "local"]

_stays_local: list[bool] = []
"""As many entries as blocks of `staying_local` are open."""


def engine_name(given: EngineName | None) -> EngineName:
    """The engine to use: the one that was given, inside a node else the local one, else that of the variable.

    Raises:
        FlowError: There is no engine of that name.
    """
    name = given or ("local" if inside_node() else os.environ.get("PENGUIRAY_ENGINE")) or "ray"
    if name == "local":
        return "local"
    if name == "ray":
        return "ray"
    raise FlowError(f"there is no engine {name!r}: use 'ray' or 'local'")


@contextmanager
def staying_local() -> Iterator[None]:
    """Flows that are built inside the block are for this process alone, as in virtual time."""
    _stays_local.append(True)
    try:
        yield
    finally:
        _stays_local.pop()


def stays_local() -> bool:
    """Whether flows are built for this process alone: their nodes need not be picklable then."""
    return bool(_stays_local)


def wants_progress(given: bool | None) -> bool:
    """Whether a map on a flow shows its progress; inside a node only if it is told to."""
    if given is not None:
        return given
    return not inside_node() and os.environ.get("PENGUIRAY_PROGRESS", "1") != "0"


def prepare_ray(given: str | None) -> str | None:
    """Set Ray's own variables where the user has not; called before Ray is imported, which is when it reads them.

    A Ray that penguiray starts on this host asks for a token. If the user has none, one is drawn that only this process
    and its workers know, and a note that only this user can read; see `actors/own_ray.py`. If Ray was imported before,
    its own default (also a token) has been taken already.

    Returns:
        Address of the cluster to join: the one that was given, else `RAY_ADDRESS` (set inside Ray jobs); None to start
        a Ray on this host.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    logging.getLogger("ray.widgets").setLevel(logging.WARNING)  # it asks for ipywidgets when a notebook imports Ray
    address = given or os.environ.get("RAY_ADDRESS") or None
    if address is not None:
        return address
    if "ray" not in sys.modules:
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    if os.environ.get("RAY_AUTH_MODE") != "disabled" and not _has_token():
        os.environ["RAY_AUTH_TOKEN"] = _drawn()
    return None


@functools.cache
def _drawn() -> str:
    return secrets.token_hex(32)


def drawn_token() -> str | None:
    """The token that `prepare_ray` has drawn for a Ray of this process; None if the user has one."""
    return _drawn() if os.environ.get("RAY_AUTH_TOKEN") == _drawn() else None


def prepare_join(given: str | None) -> str | None:
    """Find a Ray that runs already, and set Ray's own variables for it; called before Ray is imported.

    Returns:
        Address of the Ray to join: the one that was given, else `RAY_ADDRESS`, else the one that a program of this
        user has started on this host. None: this process is connected to one.

    Raises:
        StartError: There is none to join, or several and none is named.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if is_connected():
        return None
    address, known = given or os.environ.get("RAY_ADDRESS") or None, notes()
    if address is None and len(known) != 1:
        listed = "".join(f"; {own.address} of {own.program} (process {own.pid})" for own in known)
        what = f"several Rays run that programs of yours started{listed}" if known else "no Ray of yours was found here"
        raise StartError(f"{what}: name one with address=, --address or RAY_ADDRESS")
    own = next((own for own in known if address in {None, own.address}), None)
    if own is None:
        return address
    os.environ.setdefault("RAY_AUTH_MODE", own.mode)
    if own.token is not None and not _has_token():
        os.environ["RAY_AUTH_TOKEN"] = own.token
    return own.address


def is_connected() -> bool:
    """Whether this process is connected to a Ray."""
    if "ray" not in sys.modules:
        return False
    from penguiray.actors import session  # noqa: PLC0415 - loads ray

    return session.is_connected()


def _has_token() -> bool:
    is_named = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    return is_named or (Path.home() / ".ray/auth_token").exists()


def is_notebook() -> bool:
    """Whether this process is a notebook's kernel; that something has imported ipykernel does not make it one."""
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_shell is not None and getattr(get_shell(), "kernel", None) is not None
