"""The golden digest: what every kernel of docs/arithmetic.md makes of fixed inputs, as one number in the source.

A process that gives another one would compute other bits than all others do, and must not take part. Each kernel file
has a file of calls here. `python -m tests.support.golden` computes GOLDEN anew, where it is meant to change.
"""

from engine.kernels.golden.calls import Results, count, differing, digest

GOLDEN = "d7aef1d595bd3f0675c0903e07ebefab001cb9c5928d6da1a09f9f7fe845a767"

__all__ = ["GOLDEN", "Results", "count", "differing", "digest"]
