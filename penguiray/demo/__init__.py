"""The job that `penguiray demo` runs: an index of near-duplicate functions in this Python's standard library.

Modules enter, pairs of functions that look alike leave. It uses nothing of penguiray but its public surface, so it
also shows how a job is written: `job.py` has the flow, and each other file one of its nodes or what becomes of the
results.
"""
