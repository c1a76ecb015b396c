"""What will run: pure functions from a `FlowSpec` to a `Plan` of stages, each decision with its reason.

Imports `graph` and errors.
"""
