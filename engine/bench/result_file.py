"""What a study found, as a file that a later one can be compared with."""

import json
import os
from collections.abc import Collection, Sequence
from dataclasses import astuple
from datetime import datetime
from pathlib import Path
from typing import Any

from engine.bench.case import Case, Subject
from engine.bench.study import Row
from engine.compute.fingerprint import fingerprint, libraries
from engine.errors import UsageError
from engine.system.cores import limit
from engine.system.files import make_folder, write_atomically
from engine.system.processes import hostname

FORMAT = 1
KEY = ("study", "batch", "microbatch", "workers")
USUAL = "letters"  # the data, and the model for it, where none are named
MACHINE = ("host", "processor", "cores")  # where one of them differs, so may the figures


def machine() -> dict[str, Any]:
    """Return what the figures depend on: the machine, its processor, the cores that may be used, and the arithmetic."""
    cores = limit()
    return {
        "host": hostname(),
        "processor": _processor(),
        "machine_cores": os.cpu_count(),
        "cores": cores.cores,
        "cores_because_of": cores.reason,
        "arithmetic": f"{fingerprint()}; {libraries()}",
    }


def _processor() -> str:
    """Return the name of the processor; empty where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def default_path() -> Path:
    """Return a name for a file in this folder that no earlier study has."""
    return Path(f"bench-{datetime.now():%Y%m%d-%H%M%S}.json")


def save(path: Path, found: dict[str, Any]) -> None:
    """Write a study; UsageError if the file cannot be written."""
    try:
        make_folder(path.parent)
        write_atomically(path, json.dumps(found, indent=1).encode() + b"\n")
    except OSError as error:
        raise UsageError(f"the result {path} cannot be written: {error.strerror}") from None


def result(
    subject: Subject, rows: Sequence[Row], machines: dict[str, int], *, weak: bool, complete: bool
) -> dict[str, Any]:
    """Return a study as it is saved and printed as JSON; `machines`: how many workers the last run had on each."""
    about = {"format": FORMAT, "machine": machine(), "cores": limit().cores, "weak": weak, "complete": complete}
    what = {"model": subject.model, "data": subject.data, "on": subject.on, "bind": subject.bind}
    return about | what | {"machines": machines, "rows": list(rows)}


def load(path: Path, model: str | None, data: str | None) -> dict[str, Any]:
    """Read a study of `model` on `data`; UsageError if the file is not one."""
    try:
        found = json.loads(path.read_bytes())
        if isinstance(found["format"], int) and found["format"] != FORMAT:
            raise UsageError(
                f"--compare {path} has format {found['format']}, and this version reads {FORMAT}: measure again"
            )
        if found["format"] != FORMAT or not all(isinstance(row[key], int) for row in found["rows"] for key in KEY):
            raise ValueError
        if not all(row["images_per_second"] > 0 for row in found["rows"]):
            raise ValueError
    except OSError as error:
        raise UsageError(f"--compare {path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UsageError(f"--compare {path} is not a result of gradsum bench") from None
    if _named(found.get("model"), found.get("data")) != _named(model, data):
        what = f"{found.get('model') or 'the usual model'} on {found.get('data') or 'letters'}"
        raise UsageError(f"--compare {path} is of {what!s:.200}: measure the same to compare")
    return dict(found)


def _named(model: object, data: object) -> tuple[object, object]:
    """Return the names of what was measured, with those of the usual ones; for other data the model is not known."""
    data = data or USUAL
    return model or (USUAL if data == USUAL else None), data


def remarks(before: dict[str, Any], cases: Collection[Case]) -> list[str]:
    """Return what stands in the way of comparing these cases with those of an earlier study."""
    found = []
    if not {tuple(row[key] for key in KEY) for row in before["rows"]} & {astuple(case) for case in cases}:
        found.append("nothing can be compared: it has no such batch, micro-batch and number of workers")
    here, there = machine(), before.get("machine")
    there = there if isinstance(there, dict) else {}
    for name in MACHINE:
        if there.get(name) != here[name]:
            found.append(f"it is of another machine: {name} {there.get(name)!s:.60}, here {here[name]}")
    return found


def compared(rows: Sequence[Row], before: dict[str, Any]) -> None:
    """Give each row `before`: its images/s as a multiple of that in an earlier study, None if that lacks it."""
    earlier = {tuple(row[key] for key in KEY): row["images_per_second"] for row in before["rows"]}
    for row in rows:
        rate = earlier.get(tuple(row[key] for key in KEY))
        row["before"] = row["images_per_second"] / rate if rate else None
