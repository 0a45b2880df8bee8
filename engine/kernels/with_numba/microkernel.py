"""The inner loops of matrix products, in LLVM's own language, so that vectors and registers are used as meant.

Every element of a result is one chain of fused multiply-adds, k ascending, which begins with 0 or goes on with what is
there. Vectors run across the columns of the result, never along k; so neither their length nor the tile changes a bit.
"""
# ruff: noqa: ARG001 - numba counts the arguments of an intrinsic

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

FLOAT, WORD, INT = ir.FloatType(), ir.IntType(64), ir.IntType(32)
POINTER = types.CPointer(types.float32)  # type: ignore[no-untyped-call]
SIGNATURE = types.void(
    *(POINTER, types.int64, types.int64),  # a, from row to row, from k to k
    *(POINTER, types.int64),  # b, from k to k
    *(POINTER, types.int64),  # c, from row to row
    *(types.int64, types.int64, types.int64),  # rows, K (1 or more), columns in use: counts if the panel is an edge
    types.boolean,  # whether c is gone on with
)


def _pointer(typingctx: Any, array: Any, offset: Any) -> Any:
    """Return where the value of number `offset` of a contiguous array is."""
    signature = types.CPointer(array.dtype)(array, types.int64)  # type: ignore[no-untyped-call]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.gep(data, [arguments[1]])

    return signature, generate


pointer: Any = intrinsic(_pointer)


def panel(rows: int, vectors: int, lanes: int, edge: bool = False, most: int = 0) -> Any:
    """Return an intrinsic that computes c = a b, or c += a b, for as many columns as `vectors` of `lanes` floats have.

    It takes the arguments of `SIGNATURE`. Rows are done `rows` at a time, and what is left over, as `in_tiles` says.
    With `edge` only some of the columns are there, and no others are touched.
    """

    def compute(
        typingctx: Any, a: Any, ai: Any, ak: Any, b: Any, bk: Any, c: Any, ci: Any, M: Any, K: Any, N: Any, more: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            found = Panel(builder, vectors, lanes, edge, *arguments)
            in_tiles(builder, found.M, rows, found.tile, most)
            return context.get_dummy_value()

        return SIGNATURE, generate

    return intrinsic(compute)


def in_tiles(builder: Any, M: Any, rows: int, tile: Callable[[Any, int], None], most: int = 0) -> None:
    """Emit `tile(row, rows)` for all M rows: `rows` at a time while there are enough, then half as many, and so on.

    A row that would be left alone is done together with the last `rows`, if `most` rows are enough for that: alone, its
    chains are too few to keep the processor busy.
    """
    row = ir.Constant(WORD, 0)
    while rows:
        together = 1 < rows < most
        row = _whole_tiles(builder, M, row, rows, tile, together)
        if together:
            row = _last_tile(builder, M, row, rows + 1, tile)
        rows //= 2


def _whole_tiles(builder: Any, M: Any, start: Any, rows: int, tile: Callable[[Any, int], None], together: bool) -> Any:
    """Do tiles of `rows` from the row `start` while they fit, but leave none alone if `together`; return the next."""
    before, test, body, after = builder.block, *(builder.append_basic_block(n) for n in ("rows", "tile", "left"))
    builder.branch(test)
    builder.position_at_end(test)
    row = builder.phi(WORD)
    row.add_incoming(start, before)
    following = builder.add(row, ir.Constant(WORD, rows))
    fits = builder.icmp_signed("<=", following, M)
    if together:
        fits = builder.and_(fits, builder.icmp_signed("!=", builder.add(following, ir.Constant(WORD, 1)), M))
    builder.cbranch(fits, body, after)
    builder.position_at_end(body)
    tile(row, rows)
    row.add_incoming(following, builder.block)
    builder.branch(test)
    builder.position_at_end(after)
    return row


def _last_tile(builder: Any, M: Any, start: Any, rows: int, tile: Callable[[Any, int], None]) -> Any:
    """Do a tile of `rows` from the row `start` if these are all that are left; return the next row."""
    before, following = builder.block, builder.add(start, ir.Constant(WORD, rows))
    with builder.if_then(builder.icmp_signed("==", following, M)):
        tile(start, rows)
        done = builder.block
    row = builder.phi(WORD)
    row.add_incoming(start, before)
    row.add_incoming(following, done)
    return row


@dataclass
class Panel:
    """Emits the instructions of one panel; the fields after `edge` are the arguments, as LLVM's values."""

    builder: Any
    vectors: int
    lanes: int
    edge: bool
    a: Any
    a_row: Any
    a_k: Any
    b: Any
    b_k: Any
    c: Any
    c_row: Any
    M: Any
    K: Any
    N: Any
    more: Any
    first: Any = None  # where the values are that chains go on with; in c, if it is not said
    first_row: Any = None

    def __post_init__(self) -> None:
        self.vector = ir.VectorType(FLOAT, self.lanes)
        self.mask: Any = None
        if self.edge:
            numbers = ir.Constant(ir.VectorType(INT, self.lanes), list(range(self.lanes)))
            self.mask = self.builder.icmp_unsigned("<", numbers, self._splat(self.builder.trunc(self.N, INT)))

    def tile(self, row: Any, rows: int) -> None:
        """Compute `rows` rows from `row` on, and write them to c."""
        places = self._places(self.c, row, self.c_row, rows)
        first = places if self.first is None else self._places(self.first, row, self.first_row, rows)
        values = self._chains(row, rows, self._begin(first))
        for i in range(rows):
            for j in range(self.vectors):
                self._store(values[i * self.vectors + j], places[i], j)

    def chains(self, row: Any, rows: int) -> list[Any]:
        """Compute `rows` rows from `row` on, which begin with 0; return their vectors."""
        return self._chains(row, rows, [ir.Constant(self.vector, None)] * (rows * self.vectors))

    def _chains(self, row: Any, rows: int, first: list[Any]) -> list[Any]:
        builder, a = self.builder, self._places(self.a, row, self.a_row, rows)
        with self._loop() as (k, chains):
            sums = [chains(value) for value in first]
            b = builder.gep(self.b, [builder.mul(k, self.b_k)])
            columns = [self._load(b, j) for j in range(self.vectors)]
            at = builder.mul(k, self.a_k)
            for i in range(rows):
                factor = self._splat(_aligned(builder.load(builder.gep(a[i], [at]))))
                for j in range(self.vectors):
                    sums[i * self.vectors + j].goes_on(self._fma(factor, columns[j], sums[i * self.vectors + j].value))
        return [each.next for each in sums]

    def _places(self, start: Any, row: Any, step: Any, rows: int) -> list[Any]:
        """Return where `rows` rows, `step` values apart, begin from `row` on."""
        builder = self.builder
        return [builder.gep(start, [builder.mul(self._plus(row, i), step)]) for i in range(rows)]

    def _begin(self, c: list[Any]) -> list[Any]:
        """Return what the chains begin with: what is in c, or 0."""
        builder, before = self.builder, self.builder.block
        read, go = builder.append_basic_block("read"), builder.append_basic_block("begin")
        builder.cbranch(self.more, read, go)
        builder.position_at_end(read)
        found = [self._load(row, j) for row in c for j in range(self.vectors)]
        builder.branch(go)
        builder.position_at_end(go)
        values = []
        for value in found:
            first = builder.phi(self.vector)
            first.add_incoming(ir.Constant(self.vector, None), before)
            first.add_incoming(value, read)
            values.append(first)
        return values

    @contextmanager
    def _loop(self) -> Iterator[tuple[Any, Callable[[Any], "_Chain"]]]:
        """Emit what is within the block for every k; yield k and a function that makes a value that changes with k."""
        builder, before = self.builder, self.builder.block
        body, after = builder.append_basic_block("k"), builder.append_basic_block("done")
        builder.branch(body)
        builder.position_at_end(body)
        k = builder.phi(WORD)
        k.add_incoming(ir.Constant(WORD, 0), before)
        made: list[_Chain] = []

        def chain(first: Any) -> _Chain:
            value = builder.phi(self.vector)
            value.add_incoming(first, before)
            made.append(_Chain(value))
            return made[-1]

        yield k, chain
        following = self._plus(k, 1)
        k.add_incoming(following, body)
        for each in made:
            each.value.add_incoming(each.next, body)
        builder.cbranch(builder.icmp_signed("<", following, self.K), body, after)
        builder.position_at_end(after)

    def _plus(self, value: Any, number: int) -> Any:
        return self.builder.add(value, ir.Constant(WORD, number))

    def _splat(self, value: Any) -> Any:
        """Return a vector of this value in every lane."""
        builder, kind = self.builder, ir.VectorType(value.type, self.lanes)
        one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(INT, 0))
        nowhere = ir.Constant(kind, ir.Undefined)
        return builder.shuffle_vector(one, nowhere, ir.Constant(ir.VectorType(INT, self.lanes), [0] * self.lanes))

    def _fma(self, a: Any, b: Any, c: Any) -> Any:
        kind = self.vector
        return self.builder.call(self._function(f"llvm.fma.v{self.lanes}f32", kind, kind, kind, kind), [a, b, c])

    def _load(self, row: Any, number: int) -> Any:
        at = self._place(row, number)
        if not self.edge:
            return _aligned(self.builder.load(at))
        kind = self.vector
        name = f"llvm.masked.load.v{self.lanes}f32.p0"
        load = self._function(name, kind, at.type, INT, self.mask.type, kind)
        return self.builder.call(load, [at, ir.Constant(INT, 4), self.mask, ir.Constant(kind, None)])

    def _store(self, value: Any, row: Any, number: int) -> None:
        at = self._place(row, number)
        if not self.edge:
            _aligned(self.builder.store(value, at))
            return
        name = f"llvm.masked.store.v{self.lanes}f32.p0"
        store = self._function(name, ir.VoidType(), value.type, at.type, INT, self.mask.type)
        self.builder.call(store, [value, at, ir.Constant(INT, 4), self.mask])

    def _place(self, row: Any, number: int) -> Any:
        start = self.builder.gep(row, [ir.Constant(WORD, number * self.lanes)])
        return self.builder.bitcast(start, self.vector.as_pointer())

    def _function(self, name: str, result: Any, *arguments: Any) -> Any:
        kind = ir.FunctionType(result, arguments)
        return cgutils.get_or_insert_function(self.builder.module, kind, name)  # type: ignore[no-untyped-call]


@dataclass
class _Chain:
    """A value that each turn of a loop replaces."""

    value: Any
    next: Any = None

    def goes_on(self, value: Any) -> None:
        """Let `value` be what the next turn finds."""
        self.next = value


def _aligned(access: Any) -> Any:
    """Let an access need no more than the alignment of a float."""
    access.align = 4
    return access
