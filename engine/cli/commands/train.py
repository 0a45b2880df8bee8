"""`gradsum train`: train a network, watch it, and find out where everything is."""

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import SettingsError
from engine.settings import FORMER_NAMES, Settings
from engine.system.signals import near_limit_ignored
from engine.system.toml import read_toml

if TYPE_CHECKING:
    from engine.training.reporter import Result

# Options with a text that are no fields of `Settings`.
TEXTS = (
    "data",
    "target_column",
    "task",
    "model",
    "name",
    "db",
    "out",
    "resume",
)
SWITCHES = ("quiet", "json")
SHOWN = {"bind": "ADDRESS", "key": "FILE"}  # what stands for the value in the help, if not N or X


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to `commands`."""
    parser = commands.add_parser(
        "train",
        help="train a network",
        description="Train a network with worker processes, here and with --bind on other machines, too, or in this "
        "process with --workers 0. The result is the same, to the bit, with any number of workers.",
    )
    add_options(parser)
    parser.set_defaults(execute=execute)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a training run."""
    add_settings(parser)
    parser.add_argument("--name", metavar="TEXT", help="what the run is to be called in the records")
    parser.add_argument("--resume", metavar="PATH", help="go on from a checkpoint, or a folder's newest")


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what to train with what, where things go, and what is shown."""
    parser.add_argument(
        "--data",
        metavar="NAME|PATH",
        help="letters (generated, the default), mnist, fashion-mnist, emnist-letters, a folder of IDX files, or a "
        "file: .npz, .csv or .parquet",
    )
    parser.add_argument(
        "--target-column",
        metavar="NAME",
        help="of a table of features: the column to be said (default: label, target, y or the like, or the last one)",
    )
    parser.add_argument(
        "--task",
        metavar="classification|regression",
        help="what the target of a table is (default: regression for floats, else classification)",
    )
    parser.add_argument(
        "--model", metavar="NAME|FILE", help="letters (the default), mlp, lenet, or a TOML file that describes one"
    )
    for f in fields(Settings):
        _add_option(parser, f.name, f.default, f.metadata)
    parser.add_argument("--db", metavar="FILE", help="database of records (default: runs/gradsum.db)")
    parser.add_argument(
        "--out", metavar="FOLDER", help="folder of checkpoints (default: a new one beside the database)"
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="TOML file with options (lr = 0.01); those given here win"
    )
    parser.add_argument("--quiet", action="store_true", default=None, help="show no progress")
    parser.add_argument(
        "--json", action="store_true", default=None, help="end with one line of JSON on standard output"
    )


def _add_option(parser: argparse.ArgumentParser, name: str, default: object, rule: Any) -> None:
    """Add the option for one field of `Settings`; None stands for "not given"."""
    option = "--" + name.replace("_", "-")
    text = rule["help"].replace("%", "%%")
    if rule["kind"] is bool:
        parser.add_argument(option, action=argparse.BooleanOptionalAction, default=None, help=text)
        for former in (before for before, now in FORMER_NAMES.items() if now == name):
            parser.add_argument(
                "--" + former.replace("_", "-"),
                action=argparse.BooleanOptionalAction,
                dest=name,
                default=None,
                help=argparse.SUPPRESS,
            )
        return
    if default is not None and "default" not in text:
        text += f" (default: {default})"
    shown = "|".join(rule.get("choices", ())) or SHOWN.get(name) or {int: "N", float: "X", str: "NAMES"}[rule["kind"]]
    parser.add_argument(option, type=_reader(rule["kind"]), metavar=shown, help=text)


def _reader(kind: type) -> Callable[[str], Any]:
    """Return a function that turns the text of an option into `kind`, or leaves it for `Settings` to complain about."""

    def read(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            return text

    return read


def execute(arguments: argparse.Namespace) -> int:
    """Train, and print where everything is."""
    return train_with(*given_options(arguments, TEXTS))


def train_with(given: Mapping[str, Any], quiet: bool, as_json: bool) -> int:
    """Train with what `given_options` returns, and print where everything is."""
    from engine.cli import INTERRUPTED
    from engine.cli.live.reporters import reporter_for

    reporter = reporter_for(sys.stderr, quiet)
    try:
        reporter.status("loading")
        from engine.training.train import train

        result = train(reporter=reporter, **given)
    finally:
        reporter.ended()
    with near_limit_ignored():  # SIGXCPU comes again every second
        _print_summary(result)
        if as_json:
            print(json.dumps(result.asdict()))
    return INTERRUPTED if result.state == "interrupted" else 0


def given_options(arguments: argparse.Namespace, texts: Sequence[str]) -> tuple[dict[str, Any], bool, bool]:
    """Return the settings and `texts` that were given, in the file of --config or as options, and --quiet and --json.

    SettingsError if a setting cannot have its value, before anything slow.
    """
    settings = [f.name for f in fields(Settings)]
    given = _from_file(arguments.config, settings, texts) if arguments.config else {}
    named = {name: getattr(arguments, name) for name in (*settings, *texts, *SWITCHES)}
    given |= {name: value for name, value in named.items() if value is not None}
    quiet, as_json = (given.pop(name, False) for name in SWITCHES)
    Settings.build({name: given[name] for name in settings if name in given})
    return given, quiet, as_json


def _from_file(path: Path, settings: list[str], texts: Sequence[str]) -> dict[str, Any]:
    """Return the options in a TOML file; SettingsError if it is none, or has what is no option."""
    read = read_toml(path, SettingsError, f"--config {path}")
    given = {name.replace("-", "_"): value for name, value in read.items()}
    if len(given) < len(read):
        twice = next(name for name in read if name.replace("-", "_") != name and name.replace("-", "_") in read)
        raise SettingsError(f"--config {path}: {twice} and {twice.replace('-', '_')} are the same option")
    given = {FORMER_NAMES.get(name, name): value for name, value in given.items()}
    known = [*settings, *texts, *SWITCHES]
    for name, value in given.items():
        if name not in known:
            close = get_close_matches(name, known, 1)
            raise SettingsError(
                f"--config {path}: no option {name!r}" + (f"; did you mean {close[0]}?" if close else "")
            )
        wanted = "text" if name in texts else "true or false" if name in SWITCHES else ""
        if wanted and not isinstance(value, str if name in texts else bool):
            raise SettingsError(f"--config {path}: {name} must be {wanted}, got {value!r}")
        if name in texts and (not value or "\0" in value):
            raise SettingsError(f"--config {path}: {name} must be a name or path, got {value!r}")
    try:
        Settings.build({name: value for name, value in given.items() if name in settings})
    except SettingsError as error:
        raise SettingsError(f"--config {path}: {error}") from None
    return given


def _print_summary(result: "Result") -> None:
    seen = result.validation
    if result.state == "interrupted":
        folder = shlex.quote(str(result.checkpoint.parent))
        print(f"Interrupted after step {result.steps}. Go on with:\n  gradsum train --resume {folder}")
    elif not result.steps_taken:
        print(f"No step was taken: {result.reason}. Give more --steps, --epochs, --time-limit or --target to go on.")
    if seen is not None:
        data = f"generated {result.data}" if result.generated else result.data
        what = f"{seen.correct} of {seen.total} {data}" if seen.r2 is None else f"{seen.total} rows of {data}"
        print(f"{seen.text()} ({what}) after {seen.step} steps")
    who = f"{result.workers or 'no'} worker" + "s" * (result.workers != 1)
    print(f"{result.images_per_second:,.0f} {result.unit}/s with {who}, {result.wall_seconds:.1f} s")
    print(f"records     {result.db} (run {result.run})")
    print(f"checkpoint  {result.checkpoint}")
