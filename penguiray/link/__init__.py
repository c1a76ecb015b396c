"""What travels between two replicas, and who may send how much.

Messages enter as columns, frames leave. Data goes right, feedback (credit and acceptance) goes left. Everything here
is pure or takes its transport and clock from outside. Imports `graph` and errors; knows no Ray and no asyncio.
"""
