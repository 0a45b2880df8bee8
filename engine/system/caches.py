"""Sizes of the processor's data caches, as Linux reports them for the first core."""

import re
from pathlib import Path

ROOT = Path("/")
USUAL = {1: 32 << 10, 2: 512 << 10}  # bytes by level, where the system does not report them


def cache_size(level: int, root: Path = ROOT) -> int:
    """Return the size in bytes of a core's data cache of `level` 1 or 2 (kernel.org: sysfs-devices-system-cpu)."""
    for cache in sorted(root.glob("sys/devices/system/cpu/cpu0/cache/index*")):
        wanted = _read(cache / "level") == str(level) and _read(cache / "type") in {"Data", "Unified"}
        if wanted and (size := re.fullmatch(r"(\d+)K", _read(cache / "size"))):
            return int(size[1]) << 10
    return USUAL[level]


def _read(file: Path) -> str:
    try:
        return file.read_text("ascii").strip()
    except OSError:
        return ""
