"""The private folder in which local workers meet the coordinator: mode 0700, removed when the run ends."""

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import UsageError
from engine.system.places import temporary_folder
from engine.system.processes import exists

PREFIX = "gradsum-"
LOCKED = re.compile(PREFIX + r"(\d+)-\w+")  # the name of a folder that the process of this number has locked
SOCKET = "coordinator"  # the name of the coordinator's socket in the folder
MAX_PATH = 103  # bytes of a socket's path: sun_path of <sys/un.h>, which is 104 on BSD and macOS, 108 on Linux


@contextmanager
def rendezvous_folder(exists: Callable[[int], bool] = exists) -> Iterator[Path]:
    """Make the folder and remove it at the end; first remove those of runs that were killed.

    A run holds a lock on its folder, which the kernel releases when the process ends. A process number alone proves
    nothing where machines or containers share the folder for temporary files.

    The folder is in the one for temporary files, or where that is too long for the path of a socket, in /tmp or
    $XDG_RUNTIME_DIR. UsageError if it can be in none of them. `exists` tells whether a process runs on this machine.
    """
    with contextlib.ExitStack() as stack:
        folder = _make(stack, exists)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


def _make(stack: contextlib.ExitStack, exists: Callable[[int], bool]) -> Path:
    """Make the folder in the first place that is suitable, locked until `stack` is closed."""
    parents = dict.fromkeys([str(temporary_folder()), "/tmp", os.environ.get("XDG_RUNTIME_DIR", "")])  # noqa: S108
    reasons = []
    for parent in map(Path, filter(None, parents)):
        try:
            _remove_abandoned(parent, exists)
            folder = _make_locked(parent, stack)
        except OSError as error:
            reasons.append(f"{parent}: {error.strerror}")
            continue
        if reason := _unfit(folder / SOCKET):
            folder.rmdir()
            reasons.append(f"{parent}: {reason}")
            continue
        return folder
    raise UsageError(
        f"found no folder for the socket of the workers ({'; '.join(reasons)}); "
        "set TMPDIR to a folder with a short path"
    )


def _unfit(socket: Path) -> str:
    """Return why `socket` cannot be the path of a socket; "" if it can."""
    try:
        length = len(str(socket).encode())  # ZeroMQ takes UTF-8
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    return f"its path has {length} bytes, at most {MAX_PATH} are possible" if length > MAX_PATH else ""


def _make_locked(parent: Path, stack: contextlib.ExitStack) -> Path:
    """Make a folder that gets a name by which others may remove it only once it is locked.

    Without a lock, which some network file systems do not have, only its own process ever removes it.
    """
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent.absolute()))
    with contextlib.suppress(OSError):
        stack.enter_context(_lock(folder))
        folder = folder.rename(folder.with_name(f"{PREFIX}{os.getpid()}-{folder.name.removeprefix(PREFIX)}"))
    return folder


@contextmanager
def _lock(folder: Path) -> Iterator[int]:
    """Hold the lock of a folder and yield its descriptor; OSError if another process does, or there are no locks."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield descriptor
    finally:
        os.close(descriptor)


def _remove_abandoned(parent: Path, exists: Callable[[int], bool]) -> None:
    """Remove folders of this user that are not locked and whose process does not exist here."""
    for folder in parent.glob(f"{PREFIX}*-*"):
        found = LOCKED.fullmatch(folder.name)
        if found and not exists(int(found[1])):
            with contextlib.suppress(OSError), _lock(folder) as descriptor:  # another process may be doing the same
                if os.fstat(descriptor).st_uid == os.getuid():
                    shutil.rmtree(folder)
