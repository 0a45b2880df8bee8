"""The golden digest: what every kernel of docs/arithmetic.md makes of fixed inputs, as one number in the source.

A process that gives another one would compute other bits than all others do, and must not take part. Each kernel file
has a file of calls here. `python -m tests.support.golden` computes GOLDEN anew, where it is meant to change.
"""

from engine.kernels.golden.calls import Results, count, differing, digest

GOLDEN = "7077bf271af4391bf1663dd83801de7c251ea3e0b44fb3173d0229b5ed9e0a08"

__all__ = ["GOLDEN", "Results", "count", "differing", "digest"]
