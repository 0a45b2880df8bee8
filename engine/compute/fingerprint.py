"""What the bits of a result depend on besides the program: libraries and processor."""

import hashlib
import platform
import sys
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

from engine.kernels import choose

PACKAGE = Path(__file__).parent.parent
# The rooms in which it is decided what is computed, and in which order.
PROGRAM = ("compute", "data", "kernels", "nn")


def fingerprint() -> str:
    """Return one line that is equal on two machines only if they compute the same bits."""
    blas = sorted(
        f"{library.get('internal_api')} {library.get('version')} {library.get('architecture')}"
        for library in threadpool_info()
        if library["user_api"] == "blas" and _is_ours(Path(library["filepath"]))
    )
    machine = f"{platform.machine()} {sys.byteorder}-endian"
    return "; ".join([f"numpy {np.__version__}", *blas, _program(), _kernels(), machine])


def _is_ours(library: Path) -> bool:
    """Tell whether this library may be numpy's, rather than that of another package in the same process."""
    site = Path(np.__file__).parent.parent
    return not library.is_relative_to(site) or library.relative_to(site).parts[0].startswith("numpy")


def _program() -> str:
    """Return a digest of the source of everything that computes: two versions may round differently."""
    digest = hashlib.sha256()
    for room in PROGRAM:
        for path in sorted((PACKAGE / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return f"program {digest.hexdigest()[:12]}"


def _kernels() -> str:
    """Return what the kernels' bits depend on; numba compiles for the processor it finds, numpy chooses by it."""
    backend = choose()
    if backend.name == "exact":
        return "kernels exact"
    if backend.name != "numba":
        import scipy  # noqa: PLC0415 - only where it is used

        libc = " ".join(platform.libc_ver())  # numpy takes some functions from it
        return f"kernels {backend.name} for {_targets()} with scipy {scipy.__version__}, {libc}"
    import numba  # noqa: PLC0415 - only where it is used

    from engine.kernels.with_numba.tile import processor  # noqa: PLC0415

    _, name, features = processor()
    return f"kernels numba {numba.__version__} for {name} {hashlib.sha256(features.encode()).hexdigest()[:8]}"


def _targets() -> str:
    """Return the sets of instructions for which numpy has the code of its functions that is in use here."""
    functions = np.lib.introspect.opt_func_info().values()
    return " ".join(sorted({chosen["current"] for types in functions for chosen in types.values()}))
