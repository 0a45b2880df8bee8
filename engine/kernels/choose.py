"""Which backend: by name, by environment, or the best there is."""

import os
from importlib.util import find_spec
from typing import cast

from engine.errors import SettingsError
from engine.kernels.environment import BACKEND
from engine.kernels.table import Backend

NAMES = ("numba", "numpy", "exact")
AUTO = "auto"
IN_WORDS = (
    "numba (compiled), numpy (with BLAS; its bits are its own), or exact (the bits of numba in plain numpy, slow)"
)
DEFAULT = f"{BACKEND}, or else numba if it is installed, else numpy"
# Remarks about kernels other than the default.
REMARKS = {
    "numpy": "numpy kernels: their bits are their own, and differ from processor to processor",
    "exact": "exact kernels: the bits of the compiled ones in plain numpy, slow",
}


def numpy_backend() -> Backend:
    """Return the backend that needs nothing but numpy and scipy: always there, the reference in tests."""
    from engine.kernels import with_numpy  # noqa: PLC0415 - scipy takes long to import

    return with_numpy


def numba_backend() -> Backend:
    """Return the backend compiled by numba; SettingsError when numba cannot be imported."""
    try:
        from engine.kernels import with_numba  # noqa: PLC0415 - numba takes long to import and may be missing
    except ImportError as error:
        raise SettingsError(f"the numba backend needs numba ({error}); install gradsum[fast], or use numpy") from None
    return cast(Backend, with_numba)


def exact_backend() -> Backend:
    """Return the backend that gives the bits of the compiled one without compiling anything: slow, the oracle."""
    from engine.kernels import exact  # noqa: PLC0415 - only where it is wanted

    return exact


def choose(name: str | None = None) -> Backend:
    """Return the backend `name`; without a name, the one that GRADSUM_BACKEND names, or "auto".

    "auto" is numba where it is installed, else numpy. SettingsError for a name that is unknown or cannot be had.
    """
    name = name or os.environ.get(BACKEND) or AUTO
    if name not in (AUTO, *NAMES):
        raise SettingsError(f"no kernel backend {name!r}; there are {', '.join((AUTO, *NAMES))}")
    if name == AUTO:
        name = "numba" if find_spec("numba") else "numpy"
    return {"numba": numba_backend, "numpy": numpy_backend, "exact": exact_backend}[name]()
