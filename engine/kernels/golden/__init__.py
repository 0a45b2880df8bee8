"""The golden digest: what every kernel of docs/arithmetic.md makes of fixed inputs, as one number in the source.

A process that gives another one would compute other bits than all others do, and must not take part. Each kernel file
has a file of calls here. `python -m tests.support.golden` computes GOLDEN anew, where it is meant to change.
"""

from engine.kernels.golden.calls import Results, count, differing, digest, parts, use

GOLDEN = "98c80316658bd6a48e72855ce85bee6342549a60cf1e956a48402850cdeac25f"

__all__ = ["GOLDEN", "Results", "count", "differing", "digest", "parts", "use"]
