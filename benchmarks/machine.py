"""Facts about the machine that figures were taken on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path


def facts() -> dict[str, str]:
    """Return processor, cores, load and versions."""
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), cpu)
    packages = {name: version(name) for name in ("gradsum", "numpy", "scipy", "pyzmq")}
    load = f"{os.getloadavg()[0]:.1f}"
    return {"cpu": cpu, "cores": str(os.cpu_count()), "load": load, "python": platform.python_version()} | packages
