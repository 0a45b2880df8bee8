"""What both contenders of `versus_torch` are asked, and what they tell."""

import argparse
import json
import resource
from collections.abc import Callable

from benchmarks.arguments import positive

Figures = dict[str, float]


def options(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of the options that both have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--batch-size", type=positive, nargs="+", default=[64], metavar="N", help="one after the other")
    parser.add_argument("--images", type=positive, default=9_600, help="for each batch size, after the warm-up")
    parser.add_argument("--forward", action="store_true", help="evaluate instead of training")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each batch size")
    return parser


def rates(images: int, seconds: float, cpu: float) -> Figures:
    """Return images a second, and a second of this process's CPU time: of use where others have the cores, too."""
    return {"images_per_second": images / seconds, "images_per_cpu_second": images / cpu}


def tell(measure: Callable[[int, int], Figures], arguments: argparse.Namespace, *, workers: int = 0) -> None:
    """Print what `measure(batch, steps)` returns for each batch size, with peak memory here and of a worker so far."""
    for batch in arguments.batch_size:
        found = {"batch": batch} | measure(batch, max(1, arguments.images // batch))
        own, worker = (
            resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
        worker = worker if workers else 0.0
        if arguments.json:
            print(json.dumps(found | {"peak_mb": own, "peak_worker_mb": worker}), flush=True)
            continue
        rate = f"batch {batch}: {found['images_per_second']:,.0f} images/s, {own:.0f} MB"
        print(rate + (f", a worker {worker:.0f} MB" if workers else ""), flush=True)
