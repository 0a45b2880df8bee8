"""What a kill of one of two costs: PyTorch DDP under torchrun and gradsum: `python -m benchmarks.kill --python PATH`.

SIGKILL of a rank (of a worker) after 100 steps. Shown: seconds until the next step that had not been done before, how
many steps had to be done again, and whether the run got to its end. PATH: a Python that has PyTorch.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.arguments import positive
from benchmarks.machine import facts
from engine.system.blas import ONE_THREAD
from tests.support.chaos.arena import Arena
from tests.support.chaos.books import delays
from tests.support.chaos.schedule import Event, Fault

STEPS, EVERY, KILLED = 200, 30, 100
PATIENCE = 90.0  # seconds
RANK = Path(__file__).with_name("contender_elastic.py")


@dataclass(frozen=True)
class Outcome:
    """What came of one kill. `seconds` and `again` are None if no new step was taken."""

    contender: str
    seconds: float | None
    again: int | None
    finished: bool


def torchrun(python: str) -> Outcome:
    """Kill rank 1 of 2 after `KILLED` steps, under torchrun --max-restarts 3."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        options = ("--standalone", "--nproc-per-node", "2", "--max-restarts", "3", str(RANK))
        rank = ("--steps", str(STEPS), "--every", str(EVERY), "--folder", place)
        process = subprocess.Popen(
            [python, "-m", "torch.distributed.run", *options, *rank],
            env=os.environ | ONE_THREAD,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            if not _wait(process, lambda: _last(folder) >= KILLED):
                raise SystemExit("the ranks under torchrun never came to be killed")
            before, moment = _last(folder), time.time()
            os.kill(int((folder / "rank-1.pid").read_text()), signal.SIGKILL)
            _wait(process, lambda: _last(folder) > before + 1)
            finished = _wait(process, lambda: process.poll() is not None) and process.returncode == 0
            # The last step of the old attempt may be noted after the kill.
            new = [line for line in _lines(folder) if line[0] > moment and line[1] > before + 1]
            again = before - new[0][2] if new else None
            return Outcome("PyTorch DDP, torchrun", new[0][0] - moment if new else None, again, finished)
        finally:
            if process.poll() is None:
                process.terminate()  # torchrun that is killed would leave its ranks behind
            process.wait()


def _lines(folder: Path) -> list[tuple[float, int, int]]:
    """Return when rank 0 took which step, and after which step that attempt began."""
    log = folder / "rank-0.log"
    lines = log.read_text().splitlines(keepends=True) if log.exists() else []
    return [
        (float(t), int(step), int(began)) for t, step, began in (line.split() for line in lines if line.endswith("\n"))
    ]


def _last(folder: Path) -> int:
    return max((line[1] for line in _lines(folder)), default=0)


def _wait(process: "subprocess.Popen[bytes]", happened: Callable[[], bool]) -> bool:
    """Wait until something has happened; False if it does not, or the process ends before."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        ended = process.poll() is not None
        if happened():
            return True
        if ended:
            return False
        time.sleep(0.02)
    return False


def gradsum() -> Outcome:
    """Kill one of two workers after `KILLED` steps."""
    with tempfile.TemporaryDirectory() as place:
        run = ["train", "--workers", "2", "--steps", str(STEPS), "--db", "r.db", "--out", "out", "--json"]
        with Arena(Path(place), run, [], seats=0) as arena:
            story = arena.run([Event(KILLED, Fault.KILL, 0, 0.0)])
        return Outcome("gradsum", delays(story)[Fault.KILL][0], 0, story.result["steps"] == STEPS)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="a Python that has PyTorch")
    parser.add_argument("--rounds", type=positive, default=4)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    a = parser.parse_args()
    found = [outcome for _ in range(a.rounds) for outcome in (torchrun(a.python), gradsum())]
    if a.json:
        print(json.dumps({"machine": facts(), "outcomes": [asdict(outcome) for outcome in found]}))
        return
    print(", ".join(f"{name} {value}" for name, value in facts().items()), end="\n\n")
    print("| contender | kills | went on | median s | worst s | steps done again | finished |")
    print("|" + "---|" * 7)
    for name in dict.fromkeys(outcome.contender for outcome in found):
        some = [outcome for outcome in found if outcome.contender == name]
        seconds = [outcome.seconds for outcome in some if outcome.seconds is not None]
        again = [str(outcome.again) for outcome in some if outcome.again is not None]
        times = f"{statistics.median(seconds):.2f} | {max(seconds):.2f}" if seconds else " | "
        finished = sum(outcome.finished for outcome in some)
        print(f"| {name} | {len(some)} | {len(seconds)} | {times} | {', '.join(again)} | {finished} |")


if __name__ == "__main__":
    main()
