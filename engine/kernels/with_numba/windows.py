"""Max-pooling of 2 x 2 windows in vectors."""

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from engine.kernels.with_numba.vector import Vector
from engine.kernels.with_numba.vectors import BYTES, LANES, number, splat

PLACES = ((0, 0), (0, 1), (1, 0), (1, 1))  # in a window, in reading order


def there(b: Any, place: int, count: Any) -> Any:
    """Return whether `place` is below `count`, as LLVM's value."""
    return b.icmp_signed("<", number(place), count)


def first_maximum(window: Sequence[Vector], right: Any, below: Any) -> tuple[Vector, Any]:
    """Return the first largest of four vectors, or a NaN among them, and bytes that tell which it was.

    The second and fourth only count if `right`, the third and fourth if `below`.
    """
    best, b = window[0], window[0].builder
    place = ir.Constant(BYTES, None)
    for count, valid in ((1, right), (2, below), (3, b.and_(right, below))):
        x = window[count]
        larger = b.fcmp_ordered(">", x.value, best.value)
        better = b.and_(b.or_(larger, b.fcmp_unordered("uno", x.value, x.value)), splat(b, valid))
        best = Vector(b, b.select(better, x.value, best.value))
        place = b.select(better, ir.Constant(BYTES, [count] * LANES), place)
    return best, place


def share(d: Vector, winner: Any, place: int) -> Vector:
    """Return d where the winner, bytes, is `place`, 0 elsewhere."""
    b = d.builder
    won = b.icmp_unsigned("==", winner, ir.Constant(BYTES, [place] * LANES))
    return Vector(b, b.select(won, d.value, ir.Constant(d.value.type, None)))
