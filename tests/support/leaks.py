"""What a run must not leave behind: processes, zombies, sockets, shared memory, temporary files."""

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path

SHARED = Path("/dev/shm")  # noqa: S108 - looked at, never written
MARK = "GRADSUM_TEST"  # in the environment of every process of a test, so that it can be found


def processes(mark: str) -> list[int]:
    """Return the processes, besides this one, that have `mark` in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it may have ended meanwhile, or be another person's
            if f"{MARK}={mark}\0".encode() in (folder / "environ").read_bytes() and int(folder.name) != os.getpid():
                found.append(int(folder.name))
    return found


def _zombies() -> set[int]:
    """Return the children of this process that have ended and that nobody has waited for."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent = (folder / "stat").read_text().rpartition(") ")[2].split()[:2]
            if state == "Z" and int(parent) == os.getpid():
                found.add(int(folder.name))
    return found


def _shared() -> set[str]:
    """Return the named segments of shared memory that are ours by name; other programs have some, too."""
    found = set()
    for path in SHARED.iterdir() if SHARED.is_dir() else ():
        with contextlib.suppress(OSError):
            if "gradsum" in path.name and path.stat().st_uid == os.getuid():
                found.add(path.name)
    return found


def _sockets() -> set[str]:
    """Return the names of the local sockets, in the file system or not, that are ours by name."""
    table = Path("/proc/net/unix")
    names = [line.split()[7] for line in table.read_text().splitlines()[1:] if len(line.split()) > 7]
    return {name for name in names if "gradsum" in name}


@dataclass
class Leaks:
    """Compares what there is with what there was. `folder` is where temporary files go, and must end up empty."""

    mark: str
    folder: Path
    _before: tuple[set[int], set[str], set[str]] = field(init=False)

    def __post_init__(self) -> None:
        self._before = (_zombies(), _shared(), _sockets())

    def found(self) -> list[str]:
        """Return in words what was left behind."""
        zombies, shared, sockets = self._before
        left = [f"process {pid}" for pid in processes(self.mark)]
        left += [f"zombie {pid}" for pid in sorted(_zombies() - zombies)]
        left += [f"shared memory {name}" for name in sorted(_shared() - shared) if not self._of_another(name)]
        left += [f"socket {name}" for name in sorted(_sockets() - sockets) if str(self.folder) in name]
        left += [f"temporary file {path}" for path in sorted(self.folder.rglob("*"))]
        return left

    def _of_another(self, name: str) -> bool:
        """Return whether a segment is of a process that runs and is not of this test: of another test, that is."""
        pid = int(name.rpartition("-")[2])
        ours = (os.getpid(), *processes(self.mark))
        return pid not in ours and Path(f"/proc/{pid}").exists()
