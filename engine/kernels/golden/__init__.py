"""The golden digest: what every kernel of docs/arithmetic.md makes of fixed inputs, as one number in the source.

A process that gives another one would compute other bits than all others do, and must not take part. Each kernel file
has a file of calls here. `python -m tests.support.golden` computes GOLDEN anew, where it is meant to change.
"""

from engine.kernels.golden.calls import Results, count, differing, digest, parts, use

GOLDEN = "790cc2f22b8c8638ab1a5b21c0d8e354b060515671cc4938aa663bc320c5fc72"

__all__ = ["GOLDEN", "Results", "count", "differing", "digest", "parts", "use"]
