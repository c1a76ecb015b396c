"""Says what would run, before anything runs: from a `FlowSpec` and its `Plan` to statements with their reasons. Pure.

Imports `graph`, `plan`, and the numbers of the parts that work by them (`ingress`, `runtime`). Nothing here decides
anything.
"""
