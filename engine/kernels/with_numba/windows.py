"""Max-pooling of 2 x 2 windows in vectors."""

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from engine.kernels.with_numba.vector import Vector
from engine.kernels.with_numba.vectors import BYTES, INT, LANES, number, splat

WORDS = ir.VectorType(INT, LANES)
PLACES = ((0, 0), (0, 1), (1, 0), (1, 1))  # in a window, in reading order


def there(b: Any, place: int, count: Any) -> Any:
    """Return whether `place` is below `count`, as LLVM's value."""
    return b.icmp_signed("<", number(place), count)


def mark(place: int) -> Any:
    """Return the bytes of windows in which `place` won, as LLVM's value."""
    return ir.Constant(BYTES, [place] * LANES)


def first_maximum(window: Sequence[Vector], parts: tuple[Any, Any] | None) -> tuple[Vector, Any]:
    """Return the first largest of four vectors, or a NaN among them, and bytes that tell which it was.

    `parts` is None if all count; else the second and fourth only if its first, the third and fourth if its second.
    Whole windows have code of their own because AVX2 has no mask registers: there, `parts` doubles the instructions.
    """
    best, b = window[0], window[0].builder
    place = ir.Constant(WORDS, None)  # as wide as floats until the end: what chooses one of them chooses the other
    valid = None if parts is None else (*parts, b.and_(*parts))
    for count, x in enumerate(window[1:], 1):
        better = b.or_(b.fcmp_ordered(">", x.value, best.value), b.fcmp_unordered("uno", x.value, x.value))
        if valid is not None:
            better = b.and_(better, splat(b, valid[count - 1]))
        best = Vector(b, b.select(better, x.value, best.value))
        place = b.select(better, ir.Constant(WORDS, [count] * LANES), place)
    return best, b.trunc(place, BYTES)


def share(d: Vector, winner: Any, place: Any) -> Vector:
    """Return d where the winner is `place`, 0 elsewhere; both are bytes, as `mark` makes them."""
    b = d.builder
    return Vector(b, b.select(b.icmp_unsigned("==", winner, place), d.value, ir.Constant(d.value.type, None)))
