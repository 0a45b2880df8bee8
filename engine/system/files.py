"""Files that appear under their name whole or not at all, and stay there when the power goes."""

import contextlib
import errno
import mmap
import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from engine.system.processes import exists

# What write_atomically() writes to first where every file must have a name: ".NAME.PID-RANDOM.tmp" beside the file.
# Only SIGKILL leaves one behind.
TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<pid>\d+)(?:-[0-9a-f]+)?\.tmp", re.DOTALL)
# What file systems say that have no links, or none to files without a name.
NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOENT, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
NAME_PART = 50  # characters of the name, so that a long one does not become too long


def write_atomically(
    path: Path, content: bytes | Iterable[bytes | memoryview], mode: int = 0o666, new: bool = False
) -> None:
    """Write `content` to `path`, and return when it is on disk under that name.

    Raises OSError, and then leaves a file that was there as it is. `mode` is what umask is taken from. `new`:
    FileExistsError if there is something. A link is followed; what is not a file, such as /dev/stdout, is written to as
    it is.
    """
    if new and os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    path = Path(os.path.realpath(path))
    pieces = [content] if isinstance(content, bytes) else content
    if path.exists() and not path.is_file():
        with os.fdopen(os.open(path, os.O_WRONLY), "wb") as file:
            _write(file, pieces)
        return
    temporary = path.with_name(f".{path.name[:NAME_PART]}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with _open_new(temporary, mode) as file:
            _write(file, pieces)
            os.fsync(file.fileno())
            _give_name(file.fileno(), temporary, path, new)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def mapped(path: Path) -> memoryview:
    """Return the content of a file that never changes, without reading it; ValueError if it is empty.

    The mapping is private, since some file systems have no shared ones; the pages are shared all the same.
    """
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ))


def check_writable(folder: Path) -> None:
    """Raise OSError if no file can be made in `folder`."""
    tempfile.TemporaryFile(dir=folder).close()


def move_into_place(temporary: Path, path: Path) -> None:
    """Give a file that is on disk its name, and return when the name is on disk as well."""
    temporary.replace(path)
    sync_folder(path.parent)


def make_folder(folder: Path) -> list[Path]:
    """Make `folder`, and the folders above it that are missing; return those, the deepest first, once they are on disk.

    Raises OSError. One that is there already is left as it is.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync_folder(path.parent)
    return missing


def remove_stale(folder: Path, ours: Callable[[str], bool]) -> None:
    """Remove the temporary files in `folder` of processes that died while writing files whose names are `ours`.

    One with the number of this process is of an earlier process.
    """
    for path in folder.iterdir():
        found = TEMPORARY.fullmatch(path.name)
        if found and ours(found["name"]):
            pid = int(found["pid"])
            if pid == os.getpid() or not exists(pid):
                path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Return when the names in `folder` are on disk, or at once where the file system cannot say when that is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _open_new(temporary: Path, mode: int) -> BinaryIO:
    """Open a file that has no name yet, so that a kill leaves nothing; one called `temporary` where there are none."""
    if sys.platform == "linux" and Path("/proc/self/fd").exists():
        # Many file systems, NFS among them, have no such files; what else is wrong is wrong in the other way as well.
        with contextlib.suppress(OSError):
            return os.fdopen(os.open(temporary.parent, os.O_RDWR | os.O_TMPFILE, mode), "wb")
    return os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb")


def _give_name(descriptor: int, temporary: Path, path: Path, new: bool) -> None:
    """Call a file `path` that is called `temporary`, or nothing yet.

    A link never replaces anything, a rename does: FileExistsError if it is `new` and `path` is there. Some file systems
    have no links, or none to files without a name.
    """
    unnamed = not temporary.exists()
    source = f"/proc/self/fd/{descriptor}" if unnamed else temporary
    if unnamed or new:
        try:
            if _link(source, path, descriptor):
                return
        except FileExistsError:
            if new:
                raise
    if unnamed and not _link(source, temporary, descriptor):
        _copy(descriptor, temporary)
    if new:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # ours from now on
    try:
        temporary.replace(path)
    except OSError:
        if new:
            path.unlink()
        raise


def _link(source: str | Path, path: Path, descriptor: int) -> bool:
    """Give a file another name; False where the file system has no links of that kind."""
    try:
        os.link(source, path, src_dir_fd=descriptor)  # the descriptor only makes it follow the link in /proc
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return False
    return True


def _copy(descriptor: int, path: Path) -> None:
    """Write what is in an open file into one that is called `path`, and return when it is on disk."""
    mode = os.fstat(descriptor).st_mode & 0o777
    with (
        os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file,
        os.fdopen(descriptor, "rb", closefd=False) as content,
    ):
        content.seek(0)
        shutil.copyfileobj(content, file)
        file.flush()
        os.fsync(file.fileno())


def _write(file: BinaryIO, pieces: Iterable[bytes | memoryview]) -> None:
    for piece in pieces:
        file.write(piece)
    file.flush()
