"""Words through which processes tell one another what is written."""

import platform

from engine.kernels.table import Counts

# A processor of this kind keeps the order of writes, and that of reads, by itself.
ordered = platform.machine() in ("x86_64", "AMD64")


def publish(words: Counts, place: int, value: int) -> None:
    words[place] = value


def look(words: Counts, place: int) -> int:
    return int(words[place])
