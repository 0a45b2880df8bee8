"""How a round is cut into shares, in proportion to the speeds of the workers."""

from collections.abc import Sequence
from itertools import accumulate

from engine.compute.tree import Block


def shares(total: int, speeds: Sequence[float]) -> list[Block]:
    """Cut [0, total) into one contiguous range for each speed, as near to proportional as whole numbers allow.

    Largest-remainder apportionment; ranges may be empty. Speeds are positive, in any unit.
    """
    whole = sum(speeds)
    exact = [total * speed / whole for speed in speeds]
    counts = [int(x) for x in exact]
    by_remainder = sorted(range(len(speeds)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    return [(end - count, end) for end, count in zip(accumulate(counts), counts, strict=True)]
