"""Why a cluster could not be joined, or its workers not begin, in one sentence. Pure: from what Ray said."""

from __future__ import annotations

import re

__all__ = ["missing_module", "why_not_importable", "why_not_joined"]

_VERSIONS = re.compile(r"Ray: (\S+)\s+Python: (\S+)")
_MISSING = re.compile(r"No module named '([\w.]+)'")


def why_not_joined(address: str, said: str, *, answers: bool, auth_mode: str) -> str:
    """Why no connection to a cluster could be made, and what to do.

    Args:
        address: The cluster's.
        said: What Ray raised.
        answers: Whether something is known to listen at the address.
        auth_mode: `RAY_AUTH_MODE` of this process.
    """
    versions = _VERSIONS.findall(said) if "ersion mismatch" in said else []
    if len(versions) == 2:
        (their_ray, their_python), (my_ray, my_python) = versions
        return (
            f"the cluster at {address!r} has Ray {their_ray} on Python {their_python}, and this program has Ray "
            f"{my_ray} on Python {my_python}: both must be the same. Run this program with "
            f"{_differing(their_ray, their_python, my_ray, my_python)}, or start the cluster with this program's"
        )
    first = said.strip().partition("\n")[0]
    if not answers:
        return (
            f"no Ray could be reached at {address!r} ({first}). Check the address (RAY_ADDRESS, or address=), and that "
            f"the cluster runs"
        )
    return (
        f"something listens at {address!r}, but did not let this program in ({first}). If it is a Ray, it most likely "
        f"wants a token: RAY_AUTH_MODE is {auth_mode} here; before the program starts, set RAY_AUTH_MODE=token, and "
        f"RAY_AUTH_TOKEN_PATH (or RAY_AUTH_TOKEN) as on the cluster"
    )


def _differing(their_ray: str, their_python: str, my_ray: str, my_python: str) -> str:
    wanted = [f"Ray {their_ray}"] * (their_ray != my_ray) + [f"Python {their_python}"] * (their_python != my_python)
    return " and ".join(wanted) or "the cluster's"


def missing_module(said: str) -> str | None:
    """The module that a worker could not import; None if that was not the matter."""
    found = _MISSING.findall(said)
    return found[-1] if found else None


def why_not_importable(module: str) -> str:
    """What to say of a module that workers cannot import."""
    package = module.partition(".")[0]
    if package == "penguiray":
        return (
            f"the cluster's workers cannot import penguiray (No module named {module!r}): install this program's "
            f"version on every host, or send it along with ray.init(runtime_env={{'py_modules': [penguiray]}})"
        )
    return (
        f"the cluster's workers cannot import {module!r}, which it needs: install {package!r} on every host, or name "
        f"it in the option runtime_env (pip, py_modules)"
    )
