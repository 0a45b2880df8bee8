"""What the commands that make pictures have in common."""

import argparse
from importlib.util import find_spec
from pathlib import Path

from engine.errors import SettingsError

FORMATS = (".png", ".svg", ".pdf")


def add_out(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the option that names the file."""
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help=f"PNG, SVG or PDF (default: {default})")


def check_suffix(path: Path, option: str = "--out") -> None:
    """Raise SettingsError unless the name of the file says which picture format it is to have."""
    if path.suffix.lower() not in FORMATS:
        has = f"{path.suffix} is not one" if path.suffix else "it has none"
        raise SettingsError(f"{option} {path}: a picture ends in {', '.join(FORMATS)}; {has}")
    if path.is_dir():
        raise SettingsError(f"{option} {path} is a folder; name a file in it, such as {path / 'picture.png'}")


def need_matplotlib() -> None:
    """Raise SettingsError where matplotlib is not installed; it is not loaded here, which takes a while."""
    if find_spec("matplotlib") is None:
        raise SettingsError("pictures need matplotlib: pip install 'gradsum[plot]'")


def check_place(path: Path, option: str = "--out") -> None:
    """Raise SettingsError unless a picture can be written to `path`: better now than after all has been measured."""
    check_suffix(path, option)
    try:
        there = path.exists()
        path.open("ab").close()
    except OSError as error:
        raise SettingsError(f"{option} {path} cannot be written: {error.strerror}") from None
    if not there:
        path.unlink()
