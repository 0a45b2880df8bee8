"""What becomes of the sum of a micro-batch that is still in registers, in LLVM's own language; see `pairs`.

Sums of earlier micro-batches that form a pair with it, which wait in a stack, are added before it is written.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.kernels.with_numba.vector import Vector
from engine.kernels.with_numba.vectors import BIT, Lanes, chains, number


@dataclass(frozen=True)
class PairedSum:
    """A sum before which `waiting` others are in the `stack`, of `size` values each; it completes `pairs` of them.

    All are LLVM's values. `done`: it is the last one, and completes the sum of all.
    """

    builder: Any
    stack: Any
    size: Any
    waiting: Any
    pairs: Any
    done: Any

    def if_last(self, last: Any, other: Any) -> Any:
        """Return `last` for the last sum, `other` for any other."""
        return self.builder.select(self.done, last, other)

    def place(self, out: Any) -> Any:
        """Return where it is to be written: to `out` if it is the last, else to the stack."""
        return self.if_last(out, self._level(self.builder.sub(self.waiting, self.pairs)))

    def write(
        self, lanes: Lanes, values: list[Vector], to: Sequence[Any], places: Callable[[Any], Sequence[Any]]
    ) -> None:
        """Add what forms pairs with some of its values, the last one first, and write them `to` where they belong.

        `places` returns where these values are in a sum that begins at a place.
        """
        b = self.builder

        def add(turn: Any, values: list[Vector]) -> list[Vector]:
            there = places(self._level(b.sub(b.sub(self.waiting, number(1)), turn)))
            return [lanes.load(place) + value for place, value in zip(there, values, strict=True)]

        def store(values: list[Vector]) -> None:
            for value, place in zip(values, to, strict=True):
                lanes.store(value, place)

        with b.if_else(b.icmp_signed(">", self.pairs, number(0))) as (paired, alone):
            with paired:
                store(chains(b, self.pairs, values, add))
            with alone:
                store(values)

    def _level(self, level: Any) -> Any:
        return self.builder.gep(self.stack, [self.builder.mul(level, self.size)])


def sum_of(builder: Any, place: Any, last: Any, stack: Any, size: Any) -> PairedSum:
    """Return the sum of micro-batch number `place`; `last` is the number of the last one."""
    waiting, done = builder.ctpop(place), builder.icmp_signed("==", place, last)
    completed = builder.cttz(builder.not_(place), BIT(0))
    return PairedSum(builder, stack, size, waiting, builder.select(done, waiting, completed), done)
