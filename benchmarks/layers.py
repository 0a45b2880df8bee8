"""Each layer beside PyTorch's, one thread: `pip install -e .[bench]`, then `python -m benchmarks.layers [--json]`.

Shown are microseconds of CPU time for forward and backward of a micro-batch, and how many times as long PyTorch takes;
medians of rounds in which both take turns. PyTorch computes eagerly, in channels_last or not, whichever is faster.
gradsum's layer is measured within a small network, from the call of its operations to their return; PyTorch's alone.
"""

import argparse
import json
from dataclasses import asdict
from importlib.util import find_spec

from rich.console import Console
from rich.table import Table

from benchmarks.arguments import positive


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object, no table")
    parser.add_argument("--rounds", type=positive, default=40, help="micro-batches of each kind (%(default)s)")
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    options = parser.parse_args()
    if find_spec("torch") is None:
        raise SystemExit("layers needs PyTorch: pip install -e .[bench]")
    from benchmarks.layer_contest import cases, measure

    lines = [measure(case, options.rounds) for case in cases() if options.only in case.name]
    if options.json:
        print(json.dumps([asdict(line) for line in lines]))
        return
    table = Table("layer", "gradsum, us", "PyTorch, us", "PyTorch / gradsum")
    for line in lines:
        table.add_row(line.name, f"{line.gradsum:.0f}", f"{line.torch:.0f}", f"{line.ratio:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
