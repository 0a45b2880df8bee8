"""The golden digest: what every kernel of docs/arithmetic.md makes of fixed inputs, as one number in the source.

A process that gives another one would compute other bits than all others do, and must not take part. Each kernel file
has a file of calls here. `python -m tests.support.golden` computes GOLDEN anew, where it is meant to change.
"""

from engine.kernels.golden.calls import Results, count, differing, digest, parts, use

GOLDEN = "08346fdc582e69c7086d26c87b93dcb6b1ecf29cd73f97924bd2d1816844adff"

__all__ = ["GOLDEN", "Results", "count", "differing", "digest", "parts", "use"]
