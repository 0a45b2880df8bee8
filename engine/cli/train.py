"""`gradsum train`: train a network, watch it, and find out where everything is."""

import argparse
import json
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from engine.errors import SettingsError
from engine.settings import Settings

PLACES = ("data", "model", "db", "out")  # settings of a file that are no fields of `Settings`


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to `commands`."""
    parser = commands.add_parser(
        "train",
        help="train a network",
        description="Train a network with worker processes, or in this process with --workers 0. "
        "The result is the same, to the bit, with any number of workers.",
    )
    parser.add_argument(
        "--data",
        metavar="NAME|PATH",
        help="letters (generated, the default), mnist, fashion-mnist, emnist-letters, a folder of IDX files, or .npz",
    )
    parser.add_argument(
        "--model", metavar="NAME|FILE", help="letters (the default), mlp, lenet, or a TOML file that describes one"
    )
    for f in fields(Settings):
        _add_option(parser, f.name, f.default, f.metadata)
    parser.add_argument("--db", type=Path, metavar="FILE", help="database of records (default: runs/gradsum.db)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="folder of checkpoints (default: a new one in runs)")
    parser.add_argument("--resume", type=Path, metavar="PATH", help="go on from a checkpoint, or a folder's newest")
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file with any of these options; these win")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON on standard output")
    parser.set_defaults(execute=execute)


def _add_option(parser: argparse.ArgumentParser, name: str, default: object, rule: Any) -> None:
    """Add the option for one field of `Settings`; None stands for "not given"."""
    option = "--" + name.replace("_", "-")
    text = rule["help"].replace("%", "%%")
    if rule["kind"] is bool:
        parser.add_argument(option, action=argparse.BooleanOptionalAction, default=None, help=text)
        return
    if default is not None and "default" not in text:
        text += f" (default: {default})"
    if choices := rule.get("choices"):
        parser.add_argument(option, choices=choices, help=text)
    else:
        parser.add_argument(option, type=rule["kind"], metavar="N" if rule["kind"] is int else "X", help=text)


def execute(arguments: argparse.Namespace) -> int:
    """Train, and print where everything is."""
    from engine.cli import INTERRUPTED
    from engine.cli.progress import reporter_for
    from engine.training import train

    given = _from_file(arguments.config) if arguments.config else {}
    names = [*(f.name for f in fields(Settings)), *PLACES]
    given |= {name: value for name in names if (value := getattr(arguments, name)) is not None}
    reporter = reporter_for(sys.stderr, arguments.quiet)
    model, data = given.pop("model", None), given.pop("data", None)
    result = train(model, data, resume=arguments.resume, reporter=reporter, **given)
    _print_summary(result)
    if arguments.json:
        print(json.dumps(result.asdict()))
    return INTERRUPTED if result.state == "interrupted" else 0


def _from_file(path: Path) -> dict[str, Any]:
    """Return the options in a TOML file; SettingsError if it is none or has unknown options."""
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"--config {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"--config {path} is not valid TOML: {error}") from None
    given = {name.replace("-", "_"): value for name, value in read.items()}
    for name in PLACES:
        if not isinstance(given.get(name, ""), str):
            raise SettingsError(f"--config {path}: {name} must be text, got {given[name]!r}")
    Settings.build({name: value for name, value in given.items() if name not in PLACES})
    return given


def _print_summary(result: Any) -> None:
    seen = result.validation
    if result.state == "interrupted":
        print(f"Interrupted after step {result.steps}; go on with: gradsum train --resume {result.checkpoint.parent}")
    if seen is not None:
        print(f"{seen.percent:.2f} % correct ({seen.correct} of {seen.total}) after {seen.step} steps")
    print(
        f"{result.images_per_second:,.0f} images/s with {result.workers or 'no'} workers, {result.wall_seconds:.1f} s"
    )
    print(f"records     {result.db} (run {result.run})")
    print(f"checkpoint  {result.checkpoint}")
