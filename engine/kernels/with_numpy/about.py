"""What the bits of this backend depend on: numpy, BLAS, scipy, the C library, and what these make of the processor."""

import platform
from pathlib import Path

import numpy as np
import scipy
from threadpoolctl import threadpool_info


def about() -> str:
    """Return all of it: two processes of whom it differs may compute other bits."""
    blas = sorted(
        f"{library.get('internal_api')} {library.get('version')} {library.get('architecture')}"
        for library in threadpool_info()
        if library["user_api"] == "blas" and _is_ours(Path(library["filepath"]))
    )
    libc = " ".join(platform.libc_ver())  # numpy takes some functions from it
    numpy = f"numpy {np.__version__} for {_targets()}"
    return "; ".join([numpy, *blas, f"scipy {scipy.__version__}, {libc}", platform.machine()])


def _is_ours(library: Path) -> bool:
    """Tell whether this library may be numpy's, rather than that of another package in the same process."""
    site = Path(np.__file__).parent.parent
    return not library.is_relative_to(site) or library.relative_to(site).parts[0].startswith("numpy")


def _targets() -> str:
    """Return the sets of instructions for which numpy has the code of its functions that is in use here."""
    functions = np.lib.introspect.opt_func_info().values()
    return " ".join(sorted({chosen["current"] for types in functions for chosen in types.values()}))
