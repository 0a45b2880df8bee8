"""What a process computes with: what must be equal wherever bits are, and what only explains a difference."""

import hashlib
import platform
from functools import cache
from pathlib import Path

import numpy as np

from engine.kernels import choose, numpy_backend
from engine.kernels.golden import GOLDEN
from engine.nn.own.imports import imported
from engine.nn.own.source import DIGITS

PACKAGE = Path(__file__).parent.parent
OWN = "own code "  # begins the part about a module that a person wrote
# The rooms in which it is decided what is computed, and in which order.
PROGRAM = ("compute", "data", "kernels", "nn")


def fingerprint() -> str:
    """Return one line that two processes have in common only if they compute the same bits.

    Own code is part of it, and what numpy, in which it computes, makes of its libraries and processor.
    """
    modules = imported()
    if not modules:
        return kernels_fingerprint()
    code = "; ".join(f"{OWN}{module.name} {module.digest}" for module in modules)
    about = numpy_backend().about()
    numpy = f"numpy {np.__version__} {hashlib.sha256(about.encode()).hexdigest()[:DIGITS]} for own code"
    return f"{kernels_fingerprint()}; {code}; {numpy}"


def kernels_fingerprint() -> str:
    """Return the line without own code.

    Processes with compiled or exact kernels compute the same bits, whatever their processor and libraries, as
    `check_arithmetic` shows. What the numpy backend makes of these is its own, so they are part of the line.
    """
    backend = choose()
    arithmetic = f"kernels of {backend.about()}" if backend.own_bits else f"arithmetic {GOLDEN[:12]}"
    return f"{_program()}; {arithmetic}"


def differences(theirs: str, ours: str) -> tuple[str, str]:
    """Return those parts of each fingerprint, between semicolons, that the other does not have."""
    a, b = (line.split("; ") for line in (theirs, ours))
    return "; ".join(part for part in a if part not in b), "; ".join(part for part in b if part not in a)


def own_difference(theirs: str, ours: str) -> str:
    """Return how the own code of a worker differs from ours, by both fingerprints, and what to do; empty if not."""
    parts = ([part[len(OWN) :] for part in line.split("; ") if part.startswith(OWN)] for line in (theirs, ours))
    a, b = ({name: digest for name, _, digest in (part.partition(" ") for part in some)} for some in parts)
    if missing := [name for name in b if name not in a]:
        return f"it has not imported {' and '.join(missing)}: start it with --import {','.join(missing)}"
    if more := [name for name in a if name not in b]:
        return f"it has imported {' and '.join(more)}, and this run has not: start it without that"
    other = [f"{name} ({a[name]}, here {b[name]})" for name in b if a[name] != b[name]]
    if not other:
        return ""
    return f"it has another version of {' and '.join(other)}: give it the same files, and start it again"


def libraries() -> str:
    """Return what the kernels are made by, unless the fingerprint says it, and the kind of machine: for people."""
    backend = choose()
    made_by = "" if backend.own_bits else f"{backend.about()}; numpy {np.__version__}; "
    return f"{made_by}{platform.machine()}"


@cache
def _program() -> str:
    return f"program {source_digest(PACKAGE)[:12]}"


def source_digest(package: Path) -> str:
    """Return a digest of the source of everything in `package` that computes: two versions may round differently."""
    digest = hashlib.sha256()
    for room in PROGRAM:
        for path in sorted((package / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
