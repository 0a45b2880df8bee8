"""What the bits of a result depend on besides the program: libraries and processor."""

import platform
import sys

import numpy as np
import scipy
from threadpoolctl import threadpool_info

from engine.kernels import choose


def fingerprint() -> str:
    """Return one line that is equal on two machines only if they compute the same bits."""
    blas = sorted(
        f"{library.get('internal_api')} {library.get('version')} {library.get('architecture')}"
        for library in threadpool_info()
        if library["user_api"] == "blas"
    )
    parts = [f"numpy {np.__version__}", f"scipy {scipy.__version__}", *dict.fromkeys(blas)]
    return "; ".join([*parts, _kernels(), f"{platform.machine()} {sys.byteorder}-endian"])


def _kernels() -> str:
    """Return what the kernels' bits depend on; numba compiles for the processor it finds."""
    backend = choose()
    if backend.name != "numba":
        return f"kernels {backend.name}"
    import numba  # noqa: PLC0415 - only where it is used
    from llvmlite.binding import get_host_cpu_name  # noqa: PLC0415

    return f"kernels numba {numba.__version__} {get_host_cpu_name()}"
