"""Reads the TOML files that people write."""

import tomllib
from pathlib import Path
from typing import Any

from engine.errors import UsageError


def read_toml(path: Path, kind: type[UsageError], called: str) -> dict[str, Any]:
    """Return the content of the file at `path`; an error of this `kind` if it cannot be read or is not TOML."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise kind(f"{called} cannot be read: {error.strerror or error}") from None
    return parse_toml(content, kind, called)


def parse_toml(content: bytes, kind: type[UsageError], called: str) -> dict[str, Any]:
    """Return what `content` says; an error of this `kind`, with the line, if it is not TOML.

    Nor may it contain what Python can read but not print, since an error about a value prints it. The byte order mark
    with which editors on Windows begin a file is skipped.
    """
    try:
        values = tomllib.loads(content.decode("utf-8-sig"))
        repr(values)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise kind(f"{called} is not valid TOML: {error}") from None
    except ValueError:
        raise kind(f"{called} has a number with too many digits") from None
    except RecursionError:
        raise kind(f"{called} has values that are nested too deeply") from None
    return values
