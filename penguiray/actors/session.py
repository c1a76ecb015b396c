"""The connection to Ray: use the one there is, join the one that is named, or start one on this host."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future

import ray

from penguiray.actors.own_ray import leave_note
from penguiray.control.reach import why_not_joined
from penguiray.errors import StartError

__all__ = [
    "NAMESPACE", "connect", "disconnect", "is_connected", "smallest_store", "start_private", "totals", "visit",
]  # fmt: skip

NAMESPACE = "penguiray"
"""Namespace of all actors, apart from the user's own."""

_REACH_S = 5.0
"""How long nobody may listen at an address. Ray itself would try for more than a minute before it said anything."""

_connecting = threading.Lock()


def connect(address: str | None, *, token: str | None = None) -> None:
    """Make sure that this process is connected to Ray.

    A Ray that this starts belongs to this process and ends with it; see `config.prepare_ray` for its token.

    Args:
        address: Cluster to join if there is no connection yet. None: start a Ray on this host; other Rays of the host
            are never joined by accident.
        token: The token that was drawn for a Ray that this starts; noted for the user's other programs. None: the user
            has one, and so have those.

    Raises:
        StartError: The cluster cannot be reached, or Ray cannot be started.
    """
    with _connecting:
        if ray.is_initialized():
            return
        if address is not None:
            _join(address)
            return
        _start(token)


@contextlib.contextmanager
def visit(address: str | None) -> Iterator[None]:
    """Be connected for a while: by the connection that there is, or else by one of its own.

    Raises:
        StartError: The cluster cannot be reached.
    """
    was_connected = ray.is_initialized()
    connect(address)
    try:
        yield
    finally:
        if not was_connected:
            disconnect()


def is_connected() -> bool:
    """Whether this process is connected to Ray."""
    return ray.is_initialized()


def _start(token: str | None) -> None:
    """Start Ray in a thread that never ends: the kernel ends Ray's processes with the *thread* that made them."""
    started: Future[None] = Future()
    threading.Thread(target=_start_and_stay, args=(started,), name="penguiray-ray", daemon=True).start()
    try:
        started.result()
    except Exception as error:
        raise StartError(f"Ray could not be started on this host: {error}") from error
    mode = os.environ.get("RAY_AUTH_MODE", "token")
    leave_note(ray.get_runtime_context().gcs_address, mode=mode, token=token)


def _start_and_stay(started: Future[None]) -> None:
    try:
        # ERROR: away from the main thread Ray warns that it sets no handler for SIGTERM, which is fine here.
        ray.init(address="local", include_dashboard=False, logging_level=logging.ERROR)
    except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
        started.set_exception(error)
    else:
        started.set_result(None)
        threading.Event().wait()


def _join(address: str) -> None:
    answers = False
    try:
        answers = _reach(address)
        ray.init(address=address, logging_level=logging.ERROR)
    except Exception as error:
        # Ray raises RuntimeError for other versions, ConnectionError for a missing token, ValueError for a bad address.
        mode = os.environ.get("RAY_AUTH_MODE", "unset")
        raise StartError(why_not_joined(address, str(error), answers=answers, auth_mode=mode)) from error


def _reach(address: str) -> bool:
    """Try whether somebody listens at an address of the form host:port; the other forms are Ray's to look up.

    Returns:
        Whether somebody does; False if it was not tried.

    Raises:
        ConnectionError: Nobody did, for as long as `_REACH_S`.
    """
    host, colon, port = address.rpartition(":")
    if not colon or "/" in host or not port.isdecimal():
        return False
    deadline = time.monotonic() + _REACH_S
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_S).close()
        except OSError as error:
            if time.monotonic() >= deadline:
                raise ConnectionError(f"nobody listens there: {error}") from error
            time.sleep(0.2)
        else:
            return True


def start_private(folder: str, *, cpus: int, store_bytes: int) -> str:
    """Start a small Ray of this process's own, all of whose files lie in the folder; gives its address."""
    ray.init(
        address="local",
        num_cpus=cpus,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=store_bytes,
        _temp_dir=folder,
    )
    return str(ray.get_runtime_context().gcs_address)


def disconnect() -> None:
    """End the connection, and with it a Ray that this process has started."""
    ray.shutdown()


def smallest_store() -> int | None:
    """Bytes of the smallest object store of the cluster's hosts; None if Ray does not say."""
    nodes = ray.nodes()  # type: ignore[no-untyped-call]  # Ray has no types for it
    sizes = [int(node["Resources"].get("object_store_memory", 0)) for node in nodes if node["Alive"]]
    return min(filter(None, sizes), default=None)


def totals() -> dict[str, float]:
    """All resources of the whole cluster, in Ray's names."""
    return dict(ray.cluster_resources())  # type: ignore[no-untyped-call]  # Ray has no types for it
