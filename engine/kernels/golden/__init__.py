"""The golden digest: what every kernel of docs/arithmetic.md makes of fixed inputs, as one number in the source.

A process that gives another one would compute other bits than all others do, and must not take part. Each kernel file
has a file of calls here. `python -m tests.support.golden` computes GOLDEN anew, where it is meant to change.
"""

from engine.kernels.golden.calls import Results, count, differing, digest

GOLDEN = "e37a0de10b8aa6410e69752fd2e548e2ad66ffac75d3307ed9f6fc8570904f72"

__all__ = ["GOLDEN", "Results", "count", "differing", "digest"]
