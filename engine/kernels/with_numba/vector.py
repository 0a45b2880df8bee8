"""Arithmetic on vectors of floats, or on single ones, as LLVM instructions: each rounded, in the order of the source.

A formula is written once, as Python on `Vector`s. How many floats they have changes no bit.
"""

from dataclasses import dataclass, replace
from typing import Any, Union

from llvmlite import ir
from numba.core import cgutils

DOUBLE, FLOAT = ir.DoubleType(), ir.FloatType()
Number = Union["Vector", float]


@dataclass(frozen=True)
class Vector:
    """Floats of 32 or 64 bits. A number beside a vector stands for one of as many, in its type."""

    builder: Any
    value: Any

    def __add__(self, other: Number) -> "Vector":
        return self._with(self.builder.fadd(self.value, self._same(other)))

    def __sub__(self, other: Number) -> "Vector":
        return self._with(self.builder.fsub(self.value, self._same(other)))

    def __mul__(self, other: Number) -> "Vector":
        return self._with(self.builder.fmul(self.value, self._same(other)))

    def __truediv__(self, other: Number) -> "Vector":
        return self._with(self.builder.fdiv(self.value, self._same(other)))

    def __radd__(self, other: float) -> "Vector":
        return self._with(self.builder.fadd(self._same(other), self.value))

    def __rsub__(self, other: float) -> "Vector":
        return self._with(self.builder.fsub(self._same(other), self.value))

    def __rmul__(self, other: float) -> "Vector":
        return self._with(self.builder.fmul(self._same(other), self.value))

    def __neg__(self) -> "Vector":
        return self._with(self.builder.fneg(self.value))

    def fma(self, factor: "Vector", addend: "Vector") -> "Vector":
        """Return self * factor + addend, rounded once."""
        kind = self.value.type
        function = function_of(self.builder, f"llvm.fma.v{kind.count}f32", kind, kind, kind, kind)
        return self._with(self.builder.call(function, [self.value, factor.value, addend.value]))

    def above(self, other: Number) -> Any:
        """Return where self > other, as LLVM's value; a NaN is above nothing."""
        return self.builder.fcmp_ordered(">", self.value, self._same(other))

    def below(self, other: Number) -> Any:
        """Return where self < other."""
        return self.builder.fcmp_ordered("<", self.value, self._same(other))

    def where(self, condition: Any, other: Number) -> "Vector":
        """Return self where the condition holds, else the other."""
        return self._with(self.builder.select(condition, self.value, self._same(other)))

    def within(self, least: float, most: float) -> "Vector":
        """Return self, held between two numbers; NaN remains."""
        held = self.full(least).where(self.below(least), self)
        return self.full(most).where(held.above(most), held)

    def full(self, number: float) -> "Vector":
        """Return as many floats, all this number."""
        return self._with(self._same(number))

    def in_double(self) -> "Vector":
        """Return the same numbers in float64."""
        kind = _like(self.value.type, DOUBLE)
        return self if self.value.type == kind else self._with(self.builder.fpext(self.value, kind))

    def in_single(self) -> "Vector":
        """Return the numbers rounded to float32."""
        return self._with(self.builder.fptrunc(self.value, _like(self.value.type, FLOAT)))

    def bits(self) -> Any:
        """Return the same bits as LLVM's integers."""
        size = 64 if _element(self.value.type) == DOUBLE else 32
        return self.builder.bitcast(self.value, _like(self.value.type, ir.IntType(size)))

    def of_bits(self, bits: Any) -> "Vector":
        """Return a vector of the type of this one, of these bits."""
        return self._with(self.builder.bitcast(bits, self.value.type))

    def of_integers(self, integers: Any) -> "Vector":
        """Return a vector of the type of this one, of these whole numbers."""
        return self._with(self.builder.sitofp(integers, self.value.type))

    def _same(self, other: Number) -> Any:
        return other.value if isinstance(other, Vector) else filled(self.value.type, float(other))

    def _with(self, value: Any) -> "Vector":
        return replace(self, value=value)


def filled(kind: Any, number: float) -> Any:
    """Return LLVM's constant with this number, or vector full of it, of type `kind`."""
    return ir.Constant(kind, [number] * kind.count if isinstance(kind, ir.VectorType) else number)


def function_of(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Return a function of LLVM's."""
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)  # type: ignore[no-untyped-call]


def _element(kind: Any) -> Any:
    return kind.element if isinstance(kind, ir.VectorType) else kind


def _like(kind: Any, element: Any) -> Any:
    """Return the type `kind`, but of these elements."""
    return ir.VectorType(element, kind.count) if isinstance(kind, ir.VectorType) else element
