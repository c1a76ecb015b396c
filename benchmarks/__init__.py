"""penguiray beside its peers: the same work, each peer in a process of its own, rounds interleaved.

`python -m benchmarks.run` is the entry; README.md says what is measured and how.
"""
