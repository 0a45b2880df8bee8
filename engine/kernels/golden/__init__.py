"""The golden digest: what every kernel of docs/arithmetic.md makes of fixed inputs, as one number in the source.

A process that gives another one would compute other bits than all others do, and must not take part. Each kernel file
has a file of calls here. `python -m tests.support.golden` computes GOLDEN anew, where it is meant to change.
"""

from engine.kernels.golden.calls import Results, count, differing, digest

GOLDEN = "21834597594b1a9b3114e93ad93201fccd3e61f35400c506c1b86610e979fa42"

__all__ = ["GOLDEN", "Results", "count", "differing", "digest"]
