"""The options of how data is read: the same for every command that reads a source of data."""

import argparse
import re
from collections.abc import Callable, Mapping
from typing import Any

from engine.errors import SettingsError

SWITCH = "skip_unreadable"
TEXTS = ("target_column", "task")
Group = argparse._ArgumentGroup


def add_read_options(group: Group) -> None:
    """Add the options; `chosen_options` understands them."""
    group.add_argument(
        "--size", metavar="N|HxW", help="scale all pictures to this many pixels, such as 64 or 48x64 (height x width)"
    )
    group.add_argument(
        "--skip-unreadable", action="store_true", default=None, help="leave out pictures that cannot be read"
    )
    group.add_argument(
        "--columns", metavar="PICTURES,LABELS", help="columns of a table of pictures (default: by their usual names)"
    )
    group.add_argument(
        "--target-column",
        metavar="NAME",
        help="column of a table of features that is the target (default: label, target, y or the like, else the last)",
    )
    group.add_argument(
        "--task",
        metavar="classification|regression",
        help="what the target of a table is (default: regression for floats, else classification)",
    )


def chosen_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of `given` that say how data is read, as `ReadOptions` has them; SettingsError for a bad value."""
    chosen = {name: read(given[name]) for name, read in READERS.items() if given.get(name) is not None}
    return chosen | {name: given[name] for name in TEXTS if given.get(name) is not None}


def _size(value: object) -> int | tuple[int, int]:
    """Return a size as load() takes it, from an option or a file; whether it is in range is seen there."""
    if isinstance(value, str) and (found := re.fullmatch(r"(\d{1,9})(?:[xX](\d{1,9}))?", value.strip())):
        return int(found[1]) if found[2] is None else (int(found[1]), int(found[2]))
    match value:
        case bool():
            pass
        case int() as side:
            return side
        case [int() as height, int() as width]:
            return height, width
    raise SettingsError(f"size must be a number of pixels, such as 64, or 48x64 (height x width), got {value!r:.60}")


def _columns(value: object) -> tuple[str, str]:
    """Return two names of columns, from an option or a file."""
    match value.split(",") if isinstance(value, str) else value:
        case [str() as pictures, str() as labels] if pictures.strip() and labels.strip():
            return pictures.strip(), labels.strip()
    raise SettingsError(
        f"columns must be the names of the columns of pictures and of labels, such as file,label, got {value!r:.60}"
    )


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise SettingsError(f"skip-unreadable must be true or false, got {value!r:.60}")


READERS: dict[str, Callable[[object], Any]] = {"size": _size, "columns": _columns, SWITCH: _switch}
NAMES = (*READERS, *TEXTS)
