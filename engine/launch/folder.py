"""The private folder in which local workers meet the coordinator: mode 0700, gone when the run is over."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.processes import exists

PREFIX = "gradsum-"


@contextmanager
def meeting_folder() -> Iterator[Path]:
    """Make the folder, and remove it at the end; first remove those of runs that were killed."""
    _sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Remove folders of this user whose process no longer exists."""
    for folder in parent.glob(f"{PREFIX}*-*"):
        with contextlib.suppress(OSError, ValueError, OverflowError):  # another process may be sweeping, too
            pid = int(folder.name.removeprefix(PREFIX).partition("-")[0])
            if folder.stat().st_uid == os.getuid() and not exists(pid):
                shutil.rmtree(folder)
