"""Images/s with 0, 1, 2 and 4 workers at batch 64 and 256: `python -m benchmarks.speedup [bench options]`."""

import sys

from benchmarks.machine import facts
from engine.cli import main

if __name__ == "__main__":
    if "--json" not in sys.argv:
        print(", ".join(f"{name} {value}" for name, value in facts().items()), end="\n\n")
    sys.exit(main(["bench", "--workers", "1", "2", "4", *sys.argv[1:]]))
