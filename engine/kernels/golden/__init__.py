"""The golden digest: what every kernel of docs/arithmetic.md makes of fixed inputs, as one number in the source.

A process that gives another one would compute other bits than all others do, and must not take part. Each kernel file
has a file of calls here. `python -m tests.support.golden` computes GOLDEN anew, where it is meant to change.
"""

from engine.kernels.golden.calls import Results, count, differing, digest

GOLDEN = "6ba61126117a48eeb977e585bf80749166ea708144bb6473377145c158b32e2b"

__all__ = ["GOLDEN", "Results", "count", "differing", "digest"]
