"""Random words, compiled."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from engine.kernels.philox import BLOCK, MULTIPLIERS, ROUNDS, STEPS
from engine.kernels.table import Array, Counter, Key, Words
from engine.kernels.with_numba.jit import inner, kernel

FIRST, SECOND = (np.uint64(multiplier) for multiplier in MULTIPLIERS)
UPPER = np.uint64((1 << 24) - 1)
STEP, ZERO = np.float32(2.0**-24), np.float32(0)
STEP1, STEP2 = (np.uint64(step) for step in STEPS)


def _high(typing: Any, a: Any, b: Any) -> Any:  # noqa: ARG001
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        wide = ir.IntType(128)
        product = builder.mul(*(builder.zext(argument, wide) for argument in arguments))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), generate


high = cast(Callable[[np.uint64, np.uint64], np.uint64], intrinsic(_high))  # the high 64 bits of a product


@kernel
def philox(key: Key, counter: Counter, words: Words) -> None:
    for number in range(words.size // BLOCK):
        at = number * BLOCK
        words[at], words[at + 1], words[at + 2], words[at + 3] = block(key, counter, number)


@kernel
def dropout_mask(key: Key, counter: Counter, rate: float, mask: Array) -> None:
    N, F = mask.shape
    least, scale = np.float32(rate), np.float32(1 / (1 - rate))
    blocks = (F + 2 * BLOCK - 1) // (2 * BLOCK)
    for n in range(N):
        for number in range(blocks):
            words = block(key, counter, n * blocks + number)
            for k in range(2 * BLOCK * number, min(2 * BLOCK * (number + 1), F)):
                upper = (words[k // 2 % BLOCK] >> np.uint64(32 * (k % 2) + 8)) & UPPER
                mask[n, k] = scale if np.float32(upper) * STEP >= least else ZERO


@inner
def block(key: Key, counter: Counter, number: int) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Return the words of the counter that is `number` blocks on."""
    a, b = np.uint64(counter[0]) + np.uint64(number), np.uint64(counter[1])
    c, d = np.uint64(counter[2]), np.uint64(counter[3])
    k, m = np.uint64(key[0]), np.uint64(key[1])
    for _ in range(ROUNDS):
        a, b, c, d = high(SECOND, c) ^ b ^ k, SECOND * c, high(FIRST, a) ^ d ^ m, FIRST * a
        k, m = k + STEP1, m + STEP2
    return a, b, c, d
