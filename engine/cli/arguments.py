"""The arguments that name a database, its runs or a checkpoint: the same for every command that takes them."""

import argparse
from pathlib import Path

from engine.training.defaults import DEFAULT_DB

WHICH = "its number, its name, or at least 6 characters of its uuid"


def add_database(parser: argparse.ArgumentParser) -> None:
    """Add --db, the database, as `db`."""
    parser.add_argument(
        "--db", type=Path, default=DEFAULT_DB, metavar="FILE", help=f"the database (default: {DEFAULT_DB})"
    )


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for a checkpoint, which `chosen_checkpoint` understands."""
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a checkpoint, or a folder: its newest")
    parser.add_argument("--best", action="store_true", help="of a folder, the one that did best in validation instead")


def chosen_checkpoint(arguments: argparse.Namespace) -> Path:
    """Return the checkpoint, or folder, that the arguments of `add_checkpoint` mean; CheckpointError for none."""
    from engine.checkpoint import best

    path: Path = arguments.checkpoint
    return best(path) if arguments.best else path


def add_run(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the argument for one run as `run`, and --db; `what` is the run's part in the command."""
    parser.add_argument("run", metavar="RUN", help=f"{what}: {WHICH}")
    add_database(parser)


def add_runs(parser: argparse.ArgumentParser, what: str, number: str = "+") -> None:
    """Add the argument for one run or more as `runs`, and --db; `what` is their part in the command.

    `number` is that of argparse: how many there are at least.
    """
    parser.add_argument("runs", nargs=number, metavar="RUN", help=f"{what}: {WHICH}")
    add_database(parser)
