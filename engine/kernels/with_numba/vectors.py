"""Loops over vectors of floats in LLVM's own language, for what numba cannot be relied upon to keep in registers.

An operation is written once, as Python on `Vector`s, and becomes instructions while it is compiled: one for each + - *,
rounded, in the order of the source. The length of vectors changes no bit.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from engine.kernels.with_numba.tile import choose
from engine.kernels.with_numba.vector import Vector, function_of

LANES = choose().lanes
WIDE = 4 * LANES
FLOAT, BYTE, INT, WORD, BIT = ir.FloatType(), ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.IntType(1)
VECTOR, BYTES, MASK = (ir.VectorType(kind, LANES) for kind in (FLOAT, BYTE, BIT))
FLOATS = types.CPointer(types.float32)  # type: ignore[no-untyped-call]
ROUTE = types.CPointer(types.uint8)  # type: ignore[no-untyped-call]
COUNT, FLAG = types.int64, types.boolean


def emitted(*kinds: Any) -> Callable[[Callable[..., None]], Any]:
    """Return a decorator: a function for compiled code with arguments of these numba types and without a result.

    The function decorated emits its instructions; it takes LLVM's builder and the arguments as LLVM's values, those of
    a tuple one by one.
    """

    def decorate(emit: Callable[..., None]) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
            emit(builder, *(value for argument in arguments for value in _values(builder, argument)))
            return context.get_dummy_value()

        def compute(typingctx: Any, *arguments: Any) -> Any:  # noqa: ARG001
            return types.void(*kinds), generate

        compute.__name__ = emit.__name__
        # numba learns from the signature how many arguments there are.
        names = ["context", *(f"argument{i}" for i in range(len(kinds)))]
        signature = Signature([Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names])
        compute.__signature__ = signature  # type: ignore[attr-defined]
        return intrinsic(compute)

    return decorate


def counts(size: int) -> Any:
    """Return the type of a tuple of `size` numbers."""
    return types.UniTuple(COUNT, size)  # type: ignore[no-untyped-call]


def _values(builder: Any, argument: Any) -> Sequence[Any]:
    if isinstance(argument.type, ir.ArrayType):
        return cgutils.unpack_tuple(builder, argument)  # type: ignore[no-any-return, no-untyped-call]
    return [argument]


@dataclass(frozen=True)
class Lanes:
    """The values from number `at` on of each array that a loop runs over; unless all, those that `mask` names."""

    builder: Any
    at: Any
    mask: Any
    size: int = LANES  # how many

    def load(self, start: Any) -> Vector:
        """Return the floats of the array that begins at `start`."""
        return Vector(self.builder, self._load(start, ir.VectorType(FLOAT, self.size), "f32"))

    def load_bytes(self, start: Any) -> Any:
        """Return the bytes of an array, as LLVM's value."""
        return self._load(start, BYTES, "i8")

    def store(self, vector: Vector, start: Any) -> None:
        """Write floats to the array that begins at `start`."""
        self._store(vector.value, start, vector.value.type, "f32")

    def store_bytes(self, value: Any, start: Any) -> None:
        """Write bytes."""
        self._store(value, start, BYTES, "i8")

    def every(self, place: Any) -> Vector:
        """Return a vector of the one float at `place`."""
        value = self.builder.load(place)
        value.align = 4
        return Vector(self.builder, splat(self.builder, value))

    def zero(self) -> Vector:
        """Return a vector of zeros."""
        return Vector(self.builder, ir.Constant(VECTOR, None))

    def _place(self, start: Any, kind: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(start, [self.at]), kind.as_pointer())

    def _load(self, start: Any, kind: Any, name: str) -> Any:
        place = self._place(start, kind)
        if self.mask is None:
            value = self.builder.load(place)
            value.align = kind.element.width // 8 if kind is BYTES else 4
            return value
        function = function_of(self.builder, f"llvm.masked.load.v{LANES}{name}.p0", kind, place.type, INT, MASK, kind)
        size = 1 if kind is BYTES else 4
        return self.builder.call(function, [place, ir.Constant(INT, size), self.mask, ir.Constant(kind, None)])

    def _store(self, value: Any, start: Any, kind: Any, name: str) -> None:
        place, size = self._place(start, kind), 1 if kind is BYTES else 4
        if self.mask is None:
            self.builder.store(value, place).align = size
            return
        function = function_of(
            self.builder, f"llvm.masked.store.v{LANES}{name}.p0", ir.VoidType(), kind, place.type, INT, MASK
        )
        self.builder.call(function, [value, place, ir.Constant(INT, size), self.mask])


def each_pair(builder: Any, count: Any, emit: Callable[..., None]) -> None:
    """Emit a loop as `each` does, but two vectors at a time while there are two: `emit` takes one or both."""
    pairs = builder.and_(count, number(-2 * LANES))
    with loop(builder, number(0), pairs, 2 * LANES) as at:
        emit(Lanes(builder, at, None), Lanes(builder, builder.add(at, number(LANES)), None))
    each(builder, count, emit, pairs)


def each(builder: Any, count: Any, emit: Callable[[Lanes], None], start: Any = None) -> None:
    """Emit a loop over `count` values, those before `start` left out: whole vectors, then what is left."""
    whole = builder.and_(count, number(-LANES))
    with loop(builder, start or number(0), whole, LANES) as at:
        emit(Lanes(builder, at, None))
    with builder.if_then(builder.icmp_signed("<", whole, count), likely=False):
        emit(Lanes(builder, whole, first_lanes(builder, builder.sub(count, whole))))


def first_lanes(builder: Any, count: Any) -> Any:
    """Return a mask of the first `count` lanes, fewer than there are."""
    numbers = ir.Constant(ir.VectorType(INT, LANES), list(range(LANES)))
    return builder.icmp_unsigned("<", numbers, splat(builder, builder.trunc(count, INT)))


def wide(builder: Any, count: Any, emit: Callable[[Lanes], None]) -> None:
    """Emit a loop over `count` values, of which no store changes what is loaded: WIDE at a time, fewer one by one.

    A formula of many steps is computed for several vectors side by side, since each step waits for the one before. The
    last WIDE values begin where they must to end at the last, so that some are computed twice.
    """
    with builder.if_else(builder.icmp_signed(">=", count, number(WIDE))) as (enough, few):
        with enough:
            last = builder.sub(count, number(WIDE))
            with loop(builder, number(0), count, WIDE) as at:
                emit(Lanes(builder, builder.select(builder.icmp_signed("<", at, last), at, last), None, WIDE))
        with few, loop(builder, number(0), count, 1) as at:
            emit(Lanes(builder, at, None, 1))


@contextmanager
def loop(builder: Any, start: Any, stop: Any, step: int) -> Iterator[Any]:
    """Emit what is within the block for start, start + step and so on below stop; yield the number."""
    before = builder.block
    test, body, after = (builder.append_basic_block(name) for name in ("test", "body", "after"))
    builder.branch(test)
    builder.position_at_end(test)
    at = builder.phi(WORD)
    at.add_incoming(start, before)
    builder.cbranch(builder.icmp_signed("<", at, stop), body, after)
    builder.position_at_end(body)
    yield at
    at.add_incoming(builder.add(at, number(step)), builder.block)
    builder.branch(test)
    builder.position_at_end(after)


def chains(
    builder: Any, count: Any, first: list[Vector], emit: Callable[[Any, list[Vector]], list[Vector]]
) -> list[Vector]:
    """Emit a loop over 0 .. count - 1, one turn at least: `emit` takes the number and vectors, and returns the next."""
    before = builder.block
    body, after = builder.append_basic_block("turn"), builder.append_basic_block("done")
    builder.branch(body)
    builder.position_at_end(body)
    at, values = builder.phi(WORD), [builder.phi(start.value.type) for start in first]
    following = emit(at, [Vector(builder, value) for value in values])
    at.add_incoming(number(0), before)
    at.add_incoming(builder.add(at, number(1)), builder.block)
    for value, start, end in zip(values, first, following, strict=True):
        value.add_incoming(start.value, before)
        value.add_incoming(end.value, builder.block)
    builder.cbranch(builder.icmp_signed("<", at.incomings[1][0], count), body, after)
    builder.position_at_end(after)
    return following


def splat(builder: Any, value: Any) -> Any:
    """Return a vector of this value in every lane."""
    kind = ir.VectorType(value.type, LANES)
    nowhere = ir.Constant(kind, ir.Undefined)
    one = builder.insert_element(nowhere, value, ir.Constant(INT, 0))
    return builder.shuffle_vector(one, nowhere, ir.Constant(ir.VectorType(INT, LANES), [0] * LANES))


def number(value: int) -> Any:
    """Return a whole number as LLVM's constant."""
    return ir.Constant(WORD, value)


def grid(builder: Any, start: Any, row: Any, column: Any, shape: tuple[int, int]) -> list[list[Any]]:
    """Return where the arrays of a grid begin, its rows and columns being so many values apart."""
    rows = [builder.gep(start, [builder.mul(row, number(i))]) for i in range(shape[0])]
    return [[builder.gep(r, [builder.mul(column, number(j))]) for j in range(shape[1])] for r in rows]


def both_ways(transform: Callable[..., Sequence[Any]], x: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Return x[a][b] transformed down its columns, then across its rows."""
    down = [transform(*column) for column in zip(*x, strict=True)]
    return [list(transform(*row)) for row in zip(*down, strict=True)]
