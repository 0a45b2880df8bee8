"""Keeps the cache of data sets within its limit: the least recently used go first."""

import contextlib
import os
from pathlib import Path

from engine.errors import DataError, SettingsError

VARIABLE = "GRADSUM_CACHE_GB"
DEFAULT = 10.0  # GB


def limit() -> int:
    """Return how many bytes the data sets of the cache may have; SettingsError unless the variable is a number."""
    text = os.environ.get(VARIABLE) or str(DEFAULT)
    try:
        gigabytes = float(text)
        if not 0 <= gigabytes < 1e9:
            raise ValueError
    except ValueError:
        raise SettingsError(f"{VARIABLE} must be a number of gigabytes, 0 or more, got {text!r}") from None
    return int(gigabytes * 1e9)


def make(folder: Path, size: int) -> None:
    """Delete data sets until `size` more bytes are within the limit; DataError if they never can be.

    A process that has one open keeps it: its space is free once the last process has closed it.
    """
    allowed = limit()
    if size > allowed:
        raise DataError(
            f"a data set of {size / 1e9:.3g} GB, where the cache may have {allowed / 1e9:.3g} GB; set {VARIABLE} higher"
        )
    oldest: list[tuple[float, int, Path]] = []
    for path in folder.glob("*.safetensors"):
        with contextlib.suppress(FileNotFoundError):  # another process may be making room, too
            status = path.stat()
            oldest.append((status.st_mtime, status.st_size, path))
    used = sum(have for _, have, _ in oldest)
    for _, have, path in sorted(oldest):
        if used + size <= allowed:
            return
        path.unlink(missing_ok=True)
        used -= have
