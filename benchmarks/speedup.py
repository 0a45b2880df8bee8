"""Images/s with 0, 1, 2 and 4 workers at batch 64 and 256: `python -m benchmarks.speedup`, options as `bench`."""

import sys
from collections.abc import Sequence

from benchmarks.machine import facts
from engine.cli import main as gradsum


def main(options: Sequence[str]) -> int:
    """Measure and print; return the exit code."""
    if not {"--json", "--help", "-h"} & set(options):
        print(", ".join(f"{name} {value}" for name, value in facts().items()), end="\n\n")
    return gradsum(["bench", "--workers", "1", "2", "4", *options])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
