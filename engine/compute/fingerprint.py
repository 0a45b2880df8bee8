"""What a process computes with: what must be equal wherever bits are, and what only explains a difference."""

import hashlib
import platform
from pathlib import Path

import numpy as np

from engine.kernels import choose
from engine.kernels.golden import GOLDEN

PACKAGE = Path(__file__).parent.parent
# The rooms in which it is decided what is computed, and in which order.
PROGRAM = ("compute", "data", "kernels", "nn")


def fingerprint() -> str:
    """Return one line that two processes have in common only if they compute the same bits.

    Those with compiled or exact kernels do, whatever their processor and libraries, as `check_arithmetic` shows. What
    the numpy backend makes of its libraries and processor is its own, so these are part of the line.
    """
    backend = choose()
    arithmetic = f"kernels of {backend.about()}" if backend.own_bits else f"arithmetic {GOLDEN[:12]}"
    return f"{_program()}; {arithmetic}"


def libraries() -> str:
    """Return what the kernels are made by, unless the fingerprint says it, and the kind of machine: for people."""
    backend = choose()
    made_by = "" if backend.own_bits else f"{backend.about()}; numpy {np.__version__}; "
    return f"{made_by}{platform.machine()}"


def _program() -> str:
    """Return a digest of the source of everything that computes: two versions may round differently."""
    digest = hashlib.sha256()
    for room in PROGRAM:
        for path in sorted((PACKAGE / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return f"program {digest.hexdigest()[:12]}"
