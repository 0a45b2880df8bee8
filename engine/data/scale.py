"""How numbers of any type become bytes: the one rule for arrays and for pictures of floats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError

Block = NDArray[np.generic]


@dataclass(frozen=True)
class Scale:
    """What turns values into bytes: a factor, and what to tell a person unless they are bytes already."""

    factor: int
    text: str = ""

    def apply(self, block: Block) -> NDArray[np.uint8]:
        """Return `block` as bytes, which it is already if nothing is to be done."""
        if self.factor == 1:
            return block.astype(np.uint8, copy=False)
        return np.rint(block.astype(np.float64) * self.factor).astype(np.uint8)


def scale_for(blocks: Iterable[Block], what: str) -> Scale:
    """Return the one scale for all `blocks`, which are the parts of what is called `what` in messages.

    Integers from 0 to 255 are bytes. Floats are multiplied by 255 if all are from 0 to 1, and are bytes if all are
    whole numbers from 0 to 255. False and True are 0 and 255. DataError for everything else, with what to do.
    """
    low, high, whole = np.inf, -np.inf, True
    kinds: set[str] = set()  # "b" for False and True, "f" for floats, "i" for whole numbers
    bytes_only = True
    for block in blocks:
        kind = block.dtype.kind
        if kind not in "biuf":
            raise DataError(f"{what} are {block.dtype}; they must be numbers, such as uint8 from 0 to 255")
        kinds.add("i" if kind == "u" else kind)
        if len(kinds) > 1:
            raise DataError(f"{what} are of several types, such as whole numbers and floats; give all as the same")
        bytes_only = bytes_only and block.dtype == np.uint8
        if block.size and not bytes_only:
            least, most = float(block.min()), float(block.max())
            if not (np.isfinite(least) and np.isfinite(most)):
                raise DataError(f"{what} hold values that are not finite (nan or inf); replace them first")
            low, high = min(low, least), max(high, most)
            whole = whole and (kind != "f" or bool((block == np.rint(block.astype(np.float64))).all()))
    if bytes_only:
        return Scale(1)
    if kinds == {"b"} or (kinds == {"f"} and low >= 0 and high <= 1):
        return Scale(255, "values from 0 to 1 are multiplied by 255 and rounded")
    if low >= 0 and high <= 255 and whole:
        return Scale(1, "values from 0 to 255 are kept as they are")
    raise DataError(f"{what} run from {low:g} to {high:g}{_advice(low, high, whole)}")


def _advice(low: float, high: float, whole: bool) -> str:
    if low >= 0 and high <= 255:
        return " in fractions: unclear whether 255 or 1 is white; round them, or divide them by 255"
    if low >= -1 and high <= 1:
        return "; they must be from 0 to 1 or from 0 to 255: add 1 and divide by 2"
    if low >= 0 and whole:
        return f"; they must be from 0 to 255: scale them, for instance (x * (255 / {high:g})).astype(numpy.uint8)"
    return "; they must be from 0 to 1, or whole numbers from 0 to 255: scale them first"
