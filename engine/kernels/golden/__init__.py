"""The golden digest: what every kernel of docs/arithmetic.md makes of fixed inputs, as one number in the source.

A process that gives another one would compute other bits than all others do, and must not take part. Each kernel file
has a file of calls here. `python -m tests.support.golden` computes GOLDEN anew, where it is meant to change.
"""

from engine.kernels.golden.calls import Results, count, differing, digest, parts, use

GOLDEN = "a316b20e81c918613a36bf59629586c23d8f055138296039af23a37d3c3a1fbf"

__all__ = ["GOLDEN", "Results", "count", "differing", "digest", "parts", "use"]
