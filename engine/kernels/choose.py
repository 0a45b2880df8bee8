"""Which backend: by name, by environment, or the best there is."""

import os

from engine.errors import SettingsError
from engine.kernels import with_numpy
from engine.kernels.table import Backend

VARIABLE = "GRADSUM_BACKEND"
NAMES = ("auto", "numpy")


def numpy_backend() -> Backend:
    """Return the backend that needs nothing but numpy and scipy: always there, the reference in tests."""
    return with_numpy


def choose(name: str | None = None) -> Backend:
    """Return the backend `name`; without a name, the one that GRADSUM_BACKEND names, or "auto".

    Raises SettingsError for a name that is unknown.
    """
    name = name or os.environ.get(VARIABLE) or "auto"
    if name not in NAMES:
        raise SettingsError(f"no kernel backend {name!r}; there are {', '.join(NAMES)}")
    return numpy_backend()
