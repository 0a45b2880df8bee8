"""Where files go that nobody has named: one place decides, for this program and for the libraries that it uses.

A service or a container often has no home folder, or one that does not exist, and a user without a name. Then the cache
is in the folder for temporary files.
"""

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import platformdirs

from engine.errors import SettingsError

VARIABLE = "GRADSUM_CACHE"
NAME = "gradsum"


def cache_folder() -> Path:
    """Return $GRADSUM_CACHE, which may not exist yet; by default, the user's cache folder for gradsum.

    Where that neither exists nor can be made, a private folder among the temporary files. SettingsError if there can be
    none either.
    """
    if given := os.environ.get(VARIABLE):
        return expanded(given).absolute()
    folder = _at_home(platformdirs.user_cache_dir)
    return folder if folder and _there(folder) else _private(temporary_folder() / f"{NAME}-cache-{os.getuid()}")


def kernels_folder() -> Path:
    """Return the folder of compiled kernels, which coordinator and workers share."""
    return cache_folder() / "kernels"


def data_folder() -> Path | None:
    """Return the user's data folder for gradsum; None where the user has no home."""
    return _at_home(platformdirs.user_data_dir)


def temporary_folder() -> Path:
    """Return the folder for temporary files: $TMPDIR or the system's; SettingsError if there is none."""
    try:
        return Path(tempfile.gettempdir()).absolute()
    except FileNotFoundError as error:
        raise SettingsError(f"{error.strerror}; set TMPDIR to a folder that can be written") from None


def use_for_matplotlib() -> None:
    """Let matplotlib, before it is imported, keep its list of fonts in our cache, unless it is told otherwise."""
    os.environ.setdefault("MPLCONFIGDIR", str(cache_folder() / "matplotlib"))


def expanded(path: str) -> Path:
    """Return a path with its `~` replaced by a home; SettingsError where that is unknown."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise SettingsError(f"{path}: there is no such home folder here; give the full path") from None


def unwritable(folder: Path, error: OSError) -> SettingsError:
    """Return what to say when `folder`, in the cache, cannot be written."""
    return SettingsError(
        f"{folder} cannot be written ({error.strerror or error}); set {VARIABLE} to a folder that can be written"
    )


def _at_home(find: Callable[[str], str]) -> Path | None:
    """Return the folder that platformdirs finds; None without a home, where it fails or leaves a `~` in the path."""
    try:
        path = Path(find(NAME))
    except RuntimeError:
        return None
    return path if path.is_absolute() else None


def _there(folder: Path) -> bool:
    """Make the folder; return whether it is there, be it read-only."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return False
    return True


def _private(folder: Path) -> Path:
    """Make a folder whose name others can guess; SettingsError if they can put code or data there."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise unwritable(folder, error) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise SettingsError(f"{folder} is not a folder that only this user can write; set {VARIABLE} to another one")
    return folder
