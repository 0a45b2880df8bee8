"""The golden digest: what every kernel of docs/arithmetic.md makes of fixed inputs, as one number in the source.

A process that gives another one would compute other bits than all others do, and must not take part. Each kernel file
has a file of calls here. `python -m tests.support.golden` computes GOLDEN anew, where it is meant to change.
"""

from engine.kernels.golden.calls import Results, count, differing, digest

GOLDEN = "5e3cb2a0558082f23827c3b2224662af6b2ed0d3654869237b63e74501c20dd9"

__all__ = ["GOLDEN", "Results", "count", "differing", "digest"]
