"""The golden digest: what every kernel of docs/arithmetic.md makes of fixed inputs, as one number in the source.

A process that gives another one would compute other bits than all others do, and must not take part. Each kernel file
has a file of calls here. `python -m tests.support.golden` computes GOLDEN anew, where it is meant to change.
"""

from engine.kernels.golden.calls import Results, count, differing, digest

GOLDEN = "04abffaf25404cf950a32097e25561ed67743d2035c7925e69b7e63bdc2dc043"

__all__ = ["GOLDEN", "Results", "count", "differing", "digest"]
