"""What both contenders of `versus_torch` tell in the end."""

import json
import resource


def rates(images: int, seconds: float, cpu: float) -> dict[str, float]:
    """Return images a second, and a second of this process's CPU time: of use where others have the cores, too."""
    return {"images_per_second": images / seconds, "images_per_cpu_second": images / cpu}


def tell(found: dict[str, float], *, as_json: bool, workers: int = 0) -> None:
    """Print what was `found`, with the peak memory of this process and of its largest worker."""
    own, worker = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    worker = worker if workers else 0.0
    if as_json:
        print(json.dumps(found | {"peak_mb": own, "peak_worker_mb": worker}))
        return
    print(
        f"{found['images_per_second']:,.0f} images/s, {own:.0f} MB" + (f", a worker {worker:.0f} MB" if workers else "")
    )
