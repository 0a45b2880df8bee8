"""Which part of a product is computed at a time: as much as the registers hold. No bit depends on it."""

import os
from dataclasses import dataclass
from functools import cache

from llvmlite import binding
from numba.core.registry import cpu_target

from engine.errors import SettingsError
from engine.kernels.environment import slow_allowed

VARIABLE = "GRADSUM_TILE"

_PROBE = """
declare <16 x float> @llvm.fma.v16f32(<16 x float>, <16 x float>, <16 x float>)
define <16 x float> @probe(<16 x float> %a) {
  %b = call <16 x float> @llvm.fma.v16f32(<16 x float> %a, <16 x float> %a, <16 x float> %a)
  ret <16 x float> %b
}
"""


@dataclass(frozen=True)
class Tile:
    """`rows` of an output, each of `vectors` vectors of `lanes` floats, are kept in registers while k runs."""

    rows: int
    vectors: int
    lanes: int

    def __str__(self) -> str:
        return f"{self.rows}x{self.vectors}x{self.lanes}"


WIDE = Tile(8, 3, 16)  # 24 accumulators of 32 registers: AVX-512
MIDDLE = Tile(4, 3, 8)  # 12 of 16: AVX
NARROW = Tile(4, 3, 4)  # of 16 or 32: SSE, NEON


def choose() -> Tile:
    """Return the tile that GRADSUM_TILE names, as 8x3x16, or the one for the processor that numba compiles for.

    SettingsError for another value, and as `tile_for`.
    """
    best = tile_for(*processor(), allow_slow=slow_allowed())
    named = os.environ.get(VARIABLE)
    return _parse(named) if named else best


@cache
def tile_for(triple: str, name: str, features: str, *, allow_slow: bool) -> Tile:
    """Return the tile for a processor: what the compiler makes of a fused multiply-add says how wide its vectors are.

    SettingsError for one without fused multiply-add, where each is a call of a function, unless `allow_slow`.
    """
    machine = binding.Target.from_triple(triple).create_target_machine(cpu=name, features=features, opt=2)
    assembly = machine.emit_assembly(binding.parse_assembly(_PROBE))
    if "fmadd" not in assembly and "fmla" not in assembly and not allow_slow:
        raise SettingsError(
            f"the processor {name} has no fused multiply-add (FMA), so compiled kernels would take 20 to 45 times as "
            "long: --allow-slow lets it compute nevertheless; --kernels numpy is faster, but its bits are its own"
        )
    return WIDE if "zmm" in assembly else MIDDLE if "ymm" in assembly else NARROW


def processor() -> tuple[str, str, str]:
    """Return what numba compiles for: triple, name and features. NUMBA_CPU_NAME and NUMBA_CPU_FEATURES change them."""
    triple, name, features = cpu_target.target_context.codegen().magic_tuple()
    return triple, name, features


def _parse(text: str) -> Tile:
    numbers = text.split("x")
    if len(numbers) == 3 and all(number.isdecimal() for number in numbers):
        tile = Tile(*map(int, numbers))
        if 1 <= tile.rows <= 16 and 1 <= tile.vectors <= 4 and tile.lanes in {1, 2, 4, 8, 16}:
            return tile
    raise SettingsError(f"{VARIABLE} is {text!r}; it is ROWSxVECTORSxFLOATS, as {MIDDLE}, with 1, 2, 4, 8 or 16 floats")
