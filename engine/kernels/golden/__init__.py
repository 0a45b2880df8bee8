"""The golden digest: what every kernel of docs/arithmetic.md makes of fixed inputs, as one number in the source.

A process that gives another one would compute other bits than all others do, and must not take part. Each kernel file
has a file of calls here. `python -m tests.support.golden` computes GOLDEN anew, where it is meant to change.
"""

from engine.kernels.golden.calls import Results, count, differing, digest, parts, use

GOLDEN = "ab62cf3890566ed0fffaa33301b4956adf144f0d6d09d421b112fc440ca4167e"

__all__ = ["GOLDEN", "Results", "count", "differing", "digest", "parts", "use"]
