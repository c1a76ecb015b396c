"""The caller's side of a run: calls, their window, completion, results and dead letters.

Values enter, frames leave; reports enter, results leave. Pure but for the sender and clock that it is given; whoever
owns it sees to threads. Imports `graph`, `plan` and `link`.
"""
