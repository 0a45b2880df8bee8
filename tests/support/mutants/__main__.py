"""`python -m tests.support.mutants [FILE ...]`: change one thing, run the tests that execute it, print what survives.

A survivor is a changed program with which all tests pass: a gap in the tests, unless the change makes no difference.
equivalent.toml has, by file, those that make none, with the reason.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
import tomllib
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from importlib import import_module
from itertools import accumulate
from pathlib import Path

import pytest

from tests.support.mutants.mutations import Mutant, mutants
from tests.support.mutants.trial import Changed, Lines, Seconds, judge, watched
from tests.support.repository import ROOT
from tests.support.structure import module_of

FILES = (
    "engine/coordinator/rounds/",
    "engine/coordinator/arbiter.py",
    "engine/coordinator/reduction.py",
    "engine/compute/tree.py",
    "engine/compute/sums.py",
    "engine/data/sampler.py",
    "engine/nn/optimizers/",
    "engine/wire/messages.py",
    "engine/wire/fields.py",
    "engine/checkpoint/",
    "workers/session.py",
)
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
# Imported once, for all processes that are forked from this one; of the program nothing is, as it will be changed.
PRELOADED = ("hypothesis.extra.numpy", "numba", "safetensors.numpy", "scipy.linalg", "sqlite_utils", "zmq")
ENOUGH = 15.0  # seconds of tests against one change: beyond that the slowest are left out
CRASHED = 99


def start(work: Callable[[], int]) -> int:
    """Start a process that does the work in silence and exits with what it returns; return its id."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = CRASHED
    try:
        os.setsid()
        said = os.dup(2)
        with Path(os.devnull).open("r+b") as nothing:
            for descriptor in range(3):
                os.dup2(nothing.fileno(), descriptor)
        code = work()
    except BaseException:  # noqa: BLE001 - nothing may return to where it was forked
        os.write(said, traceback.format_exc().encode())
    finally:
        os._exit(code)


def finished() -> tuple[int, int]:
    """Wait for a process; return its id and exit code, negative for a signal. What it started is ended."""
    pid, status = os.wait()
    end(pid)
    return pid, os.waitstatus_to_exitcode(status)


def end(pid: int) -> None:
    """End a process that `start` started, and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def tests_for(path: Path) -> Path:
    """Return the tests of the room of a file: a folder, or a file for a module that is a room."""
    *folders, _ = path.relative_to(ROOT).with_suffix("").parts
    if folders == ["engine"]:
        return ROOT / "tests" / f"test_{path.stem}.py"
    return ROOT.joinpath("tests", *folders[folders[0] == "engine" :])


class Trial:
    """The changed forms of one file, and the tests of its room that may notice."""

    def __init__(self, path: Path, folder: Path) -> None:
        self._path = path
        self._folder = folder
        self._source = path.read_text(encoding="utf-8")
        self._tests = tests_for(path)
        self._seconds, self._lines = self._watch()
        self.mutants = list(mutants(self._source, str(path)))
        unchanged = Mutant((0, 0), "", "", compile(self._source, str(path), "exec"))
        start(lambda: self._judge(unchanged, self._fastest(self._seconds)))
        if finished()[1]:
            sys.exit(f"{self._tests} fails when it is run again")

    def _watch(self) -> tuple[Seconds, Lines]:
        notes = self._folder / "watched.json"

        def work() -> int:
            code, seconds, lines = watched(self._path, self._tests, self._folder / "tests")
            notes.write_text(json.dumps([seconds, list(lines.items())]))
            return code

        start(work)
        if finished()[1]:
            sys.exit(f"{self._tests} fails with the program as it is")
        seconds, lines = json.loads(notes.read_text())
        return seconds, dict(lines)

    def _judge(self, mutant: Mutant, tests: Sequence[str]) -> int:
        limit = 20 + 5 * sum(self._seconds[test] for test in tests)
        changed = Changed(module_of(self._path), self._path, mutant.code)
        return judge(changed, tests, limit, self._folder / f"tests-{os.getpid()}")

    def tests_of(self, mutant: Mutant) -> list[str]:
        """Return the tests that execute what is changed, the fastest first; of what is executed at import, all."""
        first, last = mutant.lines
        found = {test for line in range(first, last + 1) for test in self._lines.get(line, ())}
        return self._fastest(self._seconds if "" in found else found)

    def _fastest(self, tests: Iterable[str]) -> list[str]:
        order = sorted(tests, key=self._seconds.__getitem__)
        until = accumulate(self._seconds[test] for test in order)
        return [test for test, seconds in zip(order, until, strict=True) if seconds <= ENOUGH]

    def survivors(self, jobs: int) -> Iterator[Mutant]:
        """Yield the changed forms that no test tells from the module as it is, as they are found."""
        running: dict[int, Mutant] = {}
        try:
            for mutant in self.mutants:
                if not (tests := self.tests_of(mutant)):
                    yield mutant
                    continue
                if len(running) == jobs:
                    yield from _survived(running)
                running[start(partial(self._judge, mutant, tests))] = mutant
            while running:
                yield from _survived(running)
        finally:  # of Ctrl-C the processes hear nothing
            for pid in running:
                end(pid)


def _survived(running: dict[int, Mutant]) -> Iterator[Mutant]:
    """Wait for one of those that are running; yield it if it survives."""
    pid, code = finished()
    mutant = running.pop(pid)
    if code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED, CRASHED):
        yield mutant


def report(path: Path, jobs: int, equivalent: Collection[str]) -> int:
    """Print what survives in one file, and return how many of it is not known to be equivalent."""
    began, name = time.monotonic(), path.relative_to(ROOT)
    seen, new = set[str](), 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trial = Trial(path, Path(folder))
        for mutant in trial.survivors(jobs):
            key = f"{mutant.where}: {mutant.change}"
            seen.add(key)
            if key not in equivalent:
                new += 1
                note = "" if trial.tests_of(mutant) else "  (no test executes it)"
                print(f"{name}:{mutant.lines[1]}  {key}{note}", flush=True)
    for key in sorted(set(equivalent) - seen):
        print(f"{EQUIVALENT.name} has what does not survive in {name}: {key}")
    counts = f"{len(trial.mutants)} changes, {len(seen & set(equivalent))} known to be equivalent, {new} survived"
    print(f"{name}: {counts}, {time.monotonic() - began:.0f} s", flush=True)
    return new


def main() -> None:
    """Run all that the command line names."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="*", default=FILES, metavar="FILE", help="files or folders (default: the core)")
    parser.add_argument("-n", "--jobs", type=int, default=len(os.sched_getaffinity(0)), help="tests run at a time")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    for name in PRELOADED:
        with contextlib.suppress(ImportError):  # numba is an extra
            import_module(name)
    equivalent = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))
    places = [ROOT / name for name in arguments.files]
    found = [path for place in places for path in (sorted(place.rglob("*.py")) if place.is_dir() else [place])]
    survived = 0
    for path in found:
        if path.name != "__init__.py":
            survived += report(path, arguments.jobs, equivalent.get(str(path.relative_to(ROOT)), ()))
    sys.exit(bool(survived))


if __name__ == "__main__":
    main()
