"""Reads the TOML files that people write."""

import tomllib
from pathlib import Path
from typing import Any

from engine.errors import UsageError


def read_toml(path: Path, kind: type[UsageError], called: str) -> dict[str, Any]:
    """Return what is in the file at `path`; an error of this `kind` if it cannot be read, or is no TOML.

    Nor may it hold what Python can read but not print: whoever complains of a value prints it.
    """
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
        repr(read)
    except OSError as error:
        raise kind(f"{called} cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise kind(f"{called} is not valid TOML: {error}") from None
    except ValueError:
        raise kind(f"{called} has a number with too many digits") from None
    except RecursionError:
        raise kind(f"{called} has values that are nested too deeply") from None
    return read
