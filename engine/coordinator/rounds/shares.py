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


def moved_to_halves(cut: Sequence[Block], slack: float) -> list[Block]:
    """Return the shares with their ends moved to where the tree splits higher up, by `slack` of a mean share at most.

    Each block of a share is a vector on the way to the coordinator; a whole machine's vector costs more than the little
    that some have to do more, or less, than their speed says.
    """
    first, last = cut[0][0], cut[-1][1]
    reach = int(slack * (last - first) / len(cut))
    ends, before = [], first
    for _, end in cut[:-1]:
        grid = 1 << max(end, 1).bit_length()
        while abs(_nearest(end, grid) - end) > reach:
            grid //= 2
        before = min(max(before, _nearest(end, grid)), last)
        ends.append(before)
    return list(zip([first, *ends], [*ends, last], strict=True))


def _nearest(number: int, grid: int) -> int:
    return (number + grid // 2) // grid * grid
