"""Options and checks that the commands that make pictures share."""

import argparse
import os
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from engine.errors import SettingsError
from engine.system.places import use_for_matplotlib

FORMATS = (".png", ".svg", ".pdf")


def add_out(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the option that names the file."""
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help=f"PNG, SVG or PDF (default: {default})")


def need_matplotlib() -> None:
    """Prepare for importing matplotlib, which takes a while; SettingsError if it is not installed."""
    if find_spec("matplotlib") is None:
        raise SettingsError("pictures need matplotlib: pip install 'gradsum[plot]'")
    use_for_matplotlib()


def check_place(path: Path, option: str = "--out") -> None:
    """Raise SettingsError unless a picture can be written to `path`: before anything slow is done for it."""
    if path.suffix.lower() not in FORMATS:
        has = f"{path.suffix} is not one" if path.suffix else "it has none"
        raise SettingsError(f"{option} {path}: a picture ends in {', '.join(FORMATS)}; {has}")
    check_writable(path, option, "picture.png")


def check_writable(path: Path, option: str, example: str) -> None:
    """Raise SettingsError unless a file can be written to `path`, where `example` could be its name."""
    if path.is_dir():
        raise SettingsError(f"{option} {path} is a folder; name a file in it, such as {path / example}")
    made: list[Path] = []
    try:
        real = Path(os.path.realpath(path))  # a link is followed, and stays
        made += (place for place in (real, *real.parents) if not place.exists())
        real.parent.mkdir(parents=True, exist_ok=True)
        real.open("ab").close()
    except OSError as error:
        raise SettingsError(f"{option} {path} cannot be written: {error.strerror}") from None
    finally:
        for place in made:
            with suppress(OSError):  # it was not made, or is in use by now
                place.rmdir() if place.is_dir() else place.unlink()


def check_spares(path: Path, source: Path, what: str) -> None:
    """Raise SettingsError if writing to `path` would replace `source`, which is being drawn."""
    if path.exists() and source.exists() and path.samefile(source):
        raise SettingsError(f"{path} is the {what} itself; name another file")
