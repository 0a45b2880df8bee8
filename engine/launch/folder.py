"""The private folder in which local workers meet the coordinator: mode 0700, gone when the run is over."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import UsageError
from engine.processes import exists

PREFIX = "gradsum-"
SOCKET = "coordinator"  # the name of the coordinator's socket in the folder
LONGEST = 103  # bytes of a socket's path: sun_path of <sys/un.h>, which is 104 on BSD and macOS, 108 on Linux


@contextmanager
def meeting_folder() -> Iterator[Path]:
    """Make the folder, and remove it at the end; first remove those of runs that were killed.

    It is in the folder for temporary files, or where that is too long for the path of a socket, in /tmp or
    $XDG_RUNTIME_DIR. Raises UsageError if it can be in none of them.
    """
    folder = _make()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make() -> Path:
    """Make the folder in the first place that will do."""
    parents = dict.fromkeys([tempfile.gettempdir(), "/tmp", os.environ.get("XDG_RUNTIME_DIR", "")])  # noqa: S108
    reasons = []
    for parent in map(Path, filter(None, parents)):
        try:
            _sweep(parent)
            folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=parent.absolute()))
        except OSError as error:
            reasons.append(f"{parent}: {error.strerror}")
            continue
        if reason := _unfit(folder / SOCKET):
            folder.rmdir()
            reasons.append(f"{parent}: {reason}")
            continue
        return folder
    raise UsageError(
        f"there is no place for the socket of the workers ({'; '.join(reasons)}); "
        "set TMPDIR to a folder with a short path"
    )


def _unfit(socket: Path) -> str:
    """Return why `socket` cannot be the path of a socket, or nothing."""
    try:
        length = len(str(socket).encode())  # ZeroMQ takes UTF-8
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    return f"a path of {length} bytes where {LONGEST} is the most" if length > LONGEST else ""


def _sweep(parent: Path) -> None:
    """Remove folders of this user whose process no longer exists."""
    for folder in parent.glob(f"{PREFIX}*-*"):
        with contextlib.suppress(OSError, ValueError, OverflowError):  # another process may be sweeping, too
            pid = int(folder.name.removeprefix(PREFIX).partition("-")[0])
            if folder.stat().st_uid == os.getuid() and not exists(pid):
                shutil.rmtree(folder)
