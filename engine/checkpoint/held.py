"""A folder of checkpoints is written by one process at a time."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from engine.errors import CheckpointError
from engine.system.folder_lock import FolderLock


@contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Keep other processes out of `folder`, made if missing; yield False where its file system has no locks for that.

    Raises CheckpointError when another process trains into it, and when it cannot be made. The kernel ends the lock
    with the process, whatever ends that.
    """
    with ExitStack() as stack:
        try:
            lock = stack.enter_context(FolderLock(folder))
        except BlockingIOError:
            raise CheckpointError(
                f"another process is training into {folder}; wait for it, stop it, or choose another folder with --out"
            ) from None
        except OSError as error:
            raise CheckpointError(f"the folder {folder} for checkpoints cannot be made: {error.strerror}") from None
        yield lock.held
