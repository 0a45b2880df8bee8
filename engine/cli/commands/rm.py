"""`gradsum rm`: delete runs with their checkpoints, and give the space back."""

import argparse
import sys
from collections import Counter
from pathlib import Path

from engine.cli.arguments import add_runs
from engine.cli.command import Command
from engine.errors import SettingsError
from engine.records import SIDE_FILE, Run, find_run, give_back, list_runs, look, remove_runs, remove_snapshots
from engine.reports.text import shown, size
from engine.system.terminal import ProgressLine

SQLITE_MAX = (1 << 63) - 1  # the largest number that SQLite has


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_runs(parser, "the runs to delete; with --vacuum there may be none", "*")
    parser.add_argument("--keep-checkpoints", action="store_true", help="delete the records only")
    parser.add_argument(
        "--snapshots",
        action="store_true",
        help="delete no run, but what takes the most room of it: snapshots, histograms and statistics",
    )
    parser.add_argument("--keep-every", type=int, metavar="N", help="of --snapshots, keep those of every Nth step")
    parser.add_argument(
        "--vacuum",
        action="store_true",
        help="give the space of all that was deleted, now or before, back to the disk; takes a while",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="also delete runs that may still be running on another machine or in another container; "
        "make sure that they are not",
    )


def run(arguments: argparse.Namespace) -> int:
    """Delete the runs and print how much was freed; return the exit code 0.

    Raises RecordsError, and deletes nothing, if a run does not exist or is running, or the database is locked.
    """
    if arguments.keep_every is not None:
        _check_keep_every(arguments.keep_every, arguments)
    if not (arguments.runs or arguments.vacuum):
        raise SettingsError("name the runs to delete, or give --vacuum")
    look(arguments.db)
    known = list_runs(arguments.db)
    found = [find_run(known, text, arguments.db) for text in arguments.runs]
    runs = {run["startID"]: run for run in found}
    if runs:
        deleted = _delete(list(runs), arguments)
        kept = "" if arguments.vacuum else "; the file keeps its size for later runs, or for gradsum rm --vacuum"
        print(f"deleted {deleted}{kept}")
    for run in () if arguments.snapshots else runs.values():
        print(f"checkpoints of run {run['startID']} " + _remove_checkpoints(run, arguments))
    if arguments.vacuum:
        with ProgressLine(sys.stderr) as line:
            freed = give_back(arguments.db, _Counted(line).take)
        print(f"{arguments.db}: {size(freed)} given back to the disk")
    return 0


def _check_keep_every(every: int, arguments: argparse.Namespace) -> None:
    """Raise SettingsError unless every Nth step can be kept: otherwise whole runs would go that were to keep some."""
    if not 1 <= every <= SQLITE_MAX:
        raise SettingsError(f"--keep-every must be from 1 to {SQLITE_MAX}, got {every}")
    if not arguments.snapshots:
        raise SettingsError("--keep-every says which snapshots stay: also give --snapshots")


def _delete(runs: list[int], arguments: argparse.Namespace) -> str:
    """Delete the runs, or their snapshots, and return in words what that was."""
    which = f"run{'s' * (len(runs) > 1)} {', '.join(map(str, runs))}"
    with ProgressLine(sys.stderr) as line:
        counted = _Counted(line)
        if arguments.snapshots:
            which = f"snapshots and statistics of {which}"
            taken = remove_snapshots(arguments.db, runs, arguments.force, arguments.keep_every or 0, counted.take)
        else:
            taken = remove_runs(arguments.db, runs, arguments.force, counted.take)
    return f"{which} from {arguments.db}: {size(taken)}"


class _Counted:
    """Shows on a line how much of what has been deleted so far."""

    def __init__(self, line: ProgressLine) -> None:
        self._line = line
        self._counts: Counter[str] = Counter()

    def take(self, what: str, count: int) -> None:
        """Take in that so many more are gone."""
        self._counts[what] += count
        self._line.say(f"{what}: {self._counts[what]:,}")


def _remove_checkpoints(run: Run, arguments: argparse.Namespace) -> str:
    """Delete the run's checkpoints, unless they are to be kept or the folder is not its own; return what was done."""
    from engine.checkpoint import remove
    from engine.errors import CheckpointError
    from engine.training.storage import LOGS

    if arguments.keep_checkpoints or not run["folder"]:
        return f"are kept in {shown(run['folder'])}" if run["folder"] else "were not recorded"
    try:
        freed = remove(Path(run["folder"]), run["uuid"], arguments.db, [SIDE_FILE, LOGS])
    except CheckpointError as error:
        return f"are kept: {error}"
    return f"deleted with {shown(run['folder'])}: {size(freed)} freed"


COMMAND = Command(
    "rm",
    add_options,
    run,
    examples=(
        "gradsum rm 3 4",
        "gradsum rm 3 --keep-checkpoints",
        "gradsum rm 3 --snapshots --keep-every 1000",
        "gradsum rm --vacuum",
    ),
    description="All records of the runs go, and so does the folder of their checkpoints if nothing else is in it. "
    "Later runs take their space in the file. Other runs may keep training into the same database.",
)
