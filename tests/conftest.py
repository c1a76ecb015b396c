"""How all tests run."""

from __future__ import annotations

from hypothesis import settings

# A drawn example that takes long on a busy machine is no failure: nothing here asserts a time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
