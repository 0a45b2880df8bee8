"""The options of commands that train: declared from `Settings`, read from the command line and a TOML file."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from engine.cli import read_options
from engine.cli.import_option import add_import_option
from engine.errors import SettingsError
from engine.settings import DATA, FILES, LENGTH, OPTIMIZER, SCHEDULE, TRAINING, Settings
from engine.settings.workers import WorkersSettings
from engine.system.spelling import FORMER_NAMES, hint
from engine.system.toml import read_toml
from engine.training.defaults import DEFAULT_DB

# Options that take text and are not fields of `Settings`.
TEXTS = ("data", "model", "import_", "name", "db", "out", "resume", "from_")
SWITCHES = ("quiet", "json")
LAUNCH = "launch"  # the table of a file that says who computes
OR_BEGIN = "or_begin"  # a switch of what takes --resume PATH
DISPLAY = "display and configuration"
KEYWORDS = {"from": "from_", "import": "import_"}  # in files; in Python the name is a keyword
# Metavars that say more than the kind.
SHOWN = {"on": "TEXT", "bind": "ADDRESS", "key": "FILE", "class_weights": "balanced|WEIGHTS"}
METAVARS = {int: "N", float: "X", str: "NAMES"}
Group = argparse._ArgumentGroup


def add_run_options(parser: argparse.ArgumentParser, defaults: Mapping[str, Any]) -> None:
    """Add the options of a single run; `defaults` are the settings that the command chooses where none are given."""
    groups = add_settings(parser, defaults)
    files = groups[FILES]
    files.add_argument("--name", metavar="TEXT", help="name of the run in the records")
    groups[DATA].add_argument(
        "--from",
        dest="from_",
        metavar="CHECKPOINT|FILE",
        help="begin with the parameters of another network: of a checkpoint, the newest in a folder, or any "
        "safetensors file, as far as names and shapes fit; without --model also with a checkpoint's model",
    )
    files.add_argument("--resume", metavar="PATH", help="continue from a checkpoint, or from the newest in a folder")
    files.add_argument(
        "--or-begin",
        action="store_true",
        default=None,
        help="begin in the folder of --resume if no checkpoint is there: for jobs that are started again",
    )


def add_settings(parser: argparse.ArgumentParser, defaults: Mapping[str, Any]) -> dict[str, Group]:
    """Add the options that runs and sweeps have in common, in groups, which are returned by their title."""
    parser.usage = "%(prog)s [OPTION ...]"
    groups = {title: parser.add_argument_group(title) for title in (*_titles(), DISPLAY)}
    groups[DATA].add_argument(
        "--data",
        metavar="NAME|PATH",
        help="letters (generated), mnist, fashion-mnist, emnist-letters, a folder of IDX files, or a file: .npz, .csv "
        "or .parquet (default: letters)",
    )
    read_options.add_read_options(groups[DATA])
    groups[DATA].add_argument(
        "--model",
        metavar="NAME|FILE",
        help="letters, mlp, lenet, resnet8, vgg7, or a TOML file (default: letters, for features mlp)",
    )
    add_import_option(groups[DATA])
    for f in fields(Settings):
        add_setting(groups[f.metadata["group"]], f, defaults)
    groups[FILES].add_argument("--db", metavar="FILE", help=f"database of records (default: {DEFAULT_DB})")
    groups[FILES].add_argument(
        "--out",
        metavar="FOLDER",
        help="folder of checkpoints (default: a new one in x/ for --db x.db, in runs/ without --db)",
    )
    show = groups[DISPLAY]
    show.add_argument(
        "--config", type=Path, metavar="FILE", help="TOML file of options, such as lr = 0.01; those given here win"
    )
    show.add_argument("--quiet", action="store_true", default=None, help="show no progress")
    show.add_argument("--json", action="store_true", default=None, help="print the result as one line of JSON, too")
    return groups


def _titles() -> list[str]:
    """Return the titles of the groups, in order."""
    return list(
        dict.fromkeys([DATA, TRAINING, OPTIMIZER, SCHEDULE, LENGTH, *(f.metadata["group"] for f in fields(Settings))])
    )


def add_setting(group: argparse.ArgumentParser | Group, setting: "Field[Any]", defaults: Mapping[str, Any]) -> None:
    """Add the option for one field of `Settings`; None stands for "not given"."""
    option, rule = option_of(setting.name), setting.metadata
    text = rule["help"]
    if default := default_in_words(setting, defaults):
        text += f" (default: {default})"
    text = text.replace("%", "%%")
    if rule.get("switch"):
        group.add_argument(option, nargs="?", const=True, metavar="CHANGES", help=text)
        without, said = option.replace("--", "--no-"), f"switch {option} off"
        group.add_argument(without, action="store_const", const=False, dest=setting.name, help=said)
        return
    if rule["kind"] is not bool:
        shown = "|".join(rule.get("choices", ())) or SHOWN.get(setting.name) or METAVARS[rule["kind"]]
        group.add_argument(option, type=_reader(rule["kind"]), metavar=shown, help=text)
        return
    switch = argparse.BooleanOptionalAction
    group.add_argument(option, action=switch, default=None, help=text)
    for former in (before for before, now in FORMER_NAMES.items() if now == setting.name):
        group.add_argument(option_of(former), action=switch, dest=setting.name, default=None, help=argparse.SUPPRESS)


def option_of(name: str) -> str:
    """Return the option of a setting."""
    return "--" + name.replace("_", "-")


def default_in_words(setting: "Field[Any]", defaults: Mapping[str, Any]) -> str:
    """Return the default of a setting for a command that has `defaults` of its own; empty if there is none."""
    if setting.name not in defaults and "unset" in setting.metadata:
        return str(setting.metadata["unset"])
    value = defaults.get(setting.name, setting.default)
    if isinstance(value, bool):
        return "on" if value else "off"
    return "" if value is None else str(value)


def _reader(kind: type) -> Callable[[str], Any]:
    """Return a function that turns the text of an option into `kind`, or leaves it to `Settings` to refuse."""

    def read(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            return text

    return read


def given_options(arguments: argparse.Namespace, texts: Sequence[str]) -> tuple[dict[str, Any], bool, bool]:
    """Return the settings, `texts` and options of reading that were given, in the file of --config or as options.

    And --quiet and --json.

    SettingsError if a setting cannot have its value, before anything slow.
    """
    settings = [f.name for f in fields(Settings)]
    given = _from_file(arguments.config, settings, texts) if arguments.config else {}
    switches = switches_of(texts)
    named = {name: getattr(arguments, name) for name in (*settings, *texts, *read_options.NAMES, *switches)}
    given |= {name: value for name, value in named.items() if value is not None}
    given |= read_options.chosen_options(given)
    quiet, as_json = (given.pop(name, False) for name in SWITCHES)
    Settings.build({name: given[name] for name in settings if name in given})
    return given, quiet, as_json


def switches_of(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the switches of a command that has the options `texts`."""
    return (*SWITCHES, OR_BEGIN) if "resume" in texts else SWITCHES


def _flat(read: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the options with those of the table [launch], which says who computes; SettingsError for others there."""
    table = read.pop(LAUNCH, {})
    if not isinstance(table, dict):
        raise SettingsError(f'--config {path}: {LAUNCH} is a table: write [{LAUNCH}] and below it on = "slurm"')
    known = [f.name for f in fields(WorkersSettings)]
    for name in table:
        if name.replace("-", "_") not in known:
            raise SettingsError(f"--config {path}: [{LAUNCH}] has no option {name!r}{hint(name, known)}")
        if name in read:
            raise SettingsError(f"--config {path}: {name} is given twice, in [{LAUNCH}] and above it")
    return read | table


def _from_file(path: Path, settings: list[str], texts: Sequence[str]) -> dict[str, Any]:
    """Return the options in a TOML file; SettingsError if it is not TOML, or has anything else."""
    read = _flat(read_toml(path, SettingsError, f"--config {path}"), path)
    given = {name.replace("-", "_"): value for name, value in read.items()}
    if len(given) < len(read):
        twice = next(name for name in read if name.replace("-", "_") != name and name.replace("-", "_") in read)
        raise SettingsError(f"--config {path}: {twice} and {twice.replace('-', '_')} are the same option")
    given = {(FORMER_NAMES | KEYWORDS).get(name, name): value for name, value in given.items()}
    switches = switches_of(texts)
    texts = (*texts, *read_options.TEXTS)
    known = [*settings, *texts, *read_options.READERS, *switches]
    for name, value in given.items():
        if name not in known:
            raise SettingsError(f"--config {path}: no option {name!r}{hint(name, known)}")
        wanted = "text" if name in texts else "true or false" if name in switches else ""
        if wanted and not isinstance(value, str if name in texts else bool):
            raise SettingsError(f"--config {path}: {name} must be {wanted}, got {value!r}")
        if name in texts and (not value or "\0" in value):
            raise SettingsError(f"--config {path}: {name} must be a name or path, got {value!r}")
    try:
        read_options.chosen_options(given)
        Settings.build({name: value for name, value in given.items() if name in settings})
    except SettingsError as error:
        raise SettingsError(f"--config {path}: {error}") from None
    return given
