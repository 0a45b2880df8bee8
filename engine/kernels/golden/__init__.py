"""The golden digest: what every kernel of docs/arithmetic.md makes of fixed inputs, as one number in the source.

A process that gives another one would compute other bits than all others do, and must not take part. Each kernel file
has a file of calls here. `python -m tests.support.golden` computes GOLDEN anew, where it is meant to change.
"""

from engine.kernels.golden.calls import Results, count, differing, digest, parts, use

GOLDEN = "5012292dea8a8f82d4b24e40ac9ef682c78a98997a08bf9a7dc998bf428a7653"

__all__ = ["GOLDEN", "Results", "count", "differing", "digest", "parts", "use"]
