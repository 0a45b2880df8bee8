"""A long run under many real faults: `python -m benchmarks.chaos [--steps N] [--faults N]`.

`gradsum train` with a local worker, and others that join through links that misbehave, while workers are killed,
frozen, asked to leave and started, links cut, silenced and slowed, messages lost, repeated and swapped, the database
locked, its disk filled, the coordinator flooded by strangers, killed and resumed, and while liars join, by a schedule
drawn from a seed. In the end the parameters must be those of a quiet serial run, to the bit, and every sample counted
once. Shown is how long each kind of fault kept the training waiting.

The disk that is filled is in memory, in a mount namespace of this program alone. Where there can be none, no disk is
filled.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.arguments import positive
from benchmarks.machine import facts
from engine.data import load
from engine.settings import Settings
from engine.system.blas import ONE_THREAD
from tests.support.chaos.arena import MAIN, Arena
from tests.support.chaos.books import audit, delays
from tests.support.chaos.schedule import WITHOUT_DISK, Fault, schedule
from tests.support.leaks import MARK, Leaks

BATCH = Settings().batch_size
DISK = "1g"  # its size
UNSHARE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]


def quiet_run(folder: Path, steps: int) -> str:
    """Train serially, undisturbed, and return the digest of the parameters."""
    places = ("--db", "quiet.db", "--out", "quiet", "--workers", "0", "--validate-every", str(1 << 30))
    command = [sys.executable, "-P", "-c", MAIN, "train", "--steps", str(steps), *places, "--quiet", "--json"]
    said = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout
    digest: str = json.loads(said.splitlines()[-1])["params_sha256"]
    return digest


def study(folder: Path, a: argparse.Namespace) -> dict[str, Any]:
    """Carry out the quiet run and the other one, and return what was seen."""
    digest = quiet_run(folder, a.steps)
    run = [
        "train",
        "--steps",
        str(a.steps),
        "--db",
        "disk/records.db",
        "--out",
        "disk/out",
        "--workers",
        str(a.workers),
        "--json",
    ]
    run += ["--checkpoint-every", "20", "--validate-every", str(max(a.steps // 5, 1))]
    resume = ["train", "--resume", "disk/out", "--db", "disk/records.db", "--workers", str(a.workers), "--json"]
    db = Path("disk") / "records.db"
    with disk(folder / "disk", a.own_mounts) as kinds:
        with Arena(folder, run, resume, a.remote, db=db) as arena:
            story = arena.run(schedule(a.seed, a.steps, a.faults, a.longest, quiet=50, kinds=kinds))
        books = audit(folder / db, story, len(load("letters").train), BATCH, a.steps)
    waits = delays(story)
    rows = [
        {"fault": fault.value, "times": len(found), "median_s": statistics.median(found), "worst_s": max(found)}
        for fault, found in ((fault, waits[fault]) for fault in Fault if fault in waits)
    ]
    return {
        "steps": a.steps,
        "faults": len(story.faults),
        "sittings": len(story.sittings),
        "same_bits": story.result["params_sha256"] == digest,
        "wall_seconds": story.steps[-1][0] - story.steps[0][0],
        "workers_at_hand": statistics.mean(count for *_, count in story.steps),
        "ended_by_themselves": dict(story.ended_by_themselves),
        "rows": rows,
    } | asdict(books)


@contextmanager
def disk(folder: Path, mount: bool) -> Iterator[tuple[Fault, ...]]:
    """Make `folder`, a disk of its own if we may `mount` one, and give the kinds of faults that can then happen."""
    folder.mkdir()
    if not mount:
        yield WITHOUT_DISK
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "chaos", folder], check=True)
    try:
        yield tuple(Fault)
    finally:
        subprocess.run(["umount", folder], check=True)


def can_mount() -> bool:
    """Return whether this program can have mounts of its own."""
    command = [*UNSHARE, "sh", "-c", 'mount -t tmpfs none "$0"', tempfile.gettempdir()]
    try:
        return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0
    except OSError:  # there is no such command
        return False


def show(found: dict[str, Any]) -> None:
    """Print what was seen."""
    print("| fault | times | median delay s | worst delay s |\n|---|---|---|---|")
    for row in found["rows"]:
        print(f"| {row['fault']} | {row['times']} | {row['median_s']:.2f} | {row['worst_s']:.2f} |")
    bits = "the bits of the quiet run" if found["same_bits"] else "OTHER BITS than the quiet run"
    print(f"\n{found['steps']} steps, {found['faults']} faults, {found['wall_seconds']:.0f} s: {bits}.")
    print(f"Samples lost {found['lost']}, counted twice {found['doubled']};", end=" ")
    print(f"rows of steps missing {found['missing']}, doubled {found['repeated']}.")
    print("Events: " + ", ".join(f"{kind} {count}" for kind, count in found["events"].items()))


def main() -> int:
    """Measure and print; the exit code is 0 if bits and books are right and nothing was left behind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=positive, default=2000)
    parser.add_argument("--faults", type=positive, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1, help="local workers")
    parser.add_argument("--remote", type=int, default=2, help="workers behind links that misbehave")
    parser.add_argument("--longest", type=float, default=12.0, help="seconds that a lasting fault may last")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--own-mounts", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.own_mounts and can_mount():
        again = [*UNSHARE, sys.executable, "-m", "benchmarks.chaos", *sys.argv[1:], "--own-mounts"]
        return subprocess.run(again, check=False).returncode
    with tempfile.TemporaryDirectory(prefix="chaos-") as place:
        folder, temporary = Path(place), Path(place) / "t"
        temporary.mkdir()
        os.environ |= {"TMPDIR": str(temporary), MARK: folder.name, **ONE_THREAD}
        leaks = Leaks(folder.name, temporary)
        found = study(folder, arguments)
        found["left_behind"] = leaks.found()
    if arguments.json:
        print(json.dumps({"machine": facts()} | found))
    else:
        print(", ".join(f"{name} {value}" for name, value in facts().items()), end="\n\n")
        show(found)
        print("Left behind: " + ("; ".join(found["left_behind"]) or "nothing"))
    wrong = found["lost"] or found["doubled"] or found["missing"] or found["repeated"] or found["left_behind"]
    return 0 if found["same_bits"] and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
