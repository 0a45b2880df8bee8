"""Which run of a database a person means: by its number, its name, or the beginning of its uuid."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.errors import RecordsError
from engine.records.read_rows import Run

UUID = 6  # characters of a uuid that are enough, as many as the name of its folder has
LISTED = 5  # runs or sweeps that a message names
_SHOWN = 60  # characters of what was asked for that a message repeats


def find_run(runs: Sequence[Run], text: str, path: Path | str) -> Run:
    """Return the run among `runs`, those of the database `path`, that `text` means: number, name or start of the uuid.

    They are tried in this order. Of the uuid it takes at least 6 characters: the number of a deleted run must not mean
    another run whose uuid happens to begin with it. Raises RecordsError when there is no such run, and when there are
    several.
    """
    if not runs:
        raise RecordsError(f"database {path} has no runs yet; train something first")
    if text.isdecimal() and (found := [run for run in runs if str(run["startID"]) == text.lstrip("0")]):
        return found[0]
    found = [run for run in runs if run["name"] == text] or [run for run in runs if _begins(run, text)]
    if len(found) == 1:
        return found[0]
    what = ascii(text)[:_SHOWN] if not text.isprintable() else repr(text[:_SHOWN])
    if found:
        raise RecordsError(f"{what} is more than one run of database {path}: {_listed(found)}; give the number")
    raise RecordsError(f"there is no run {what} in database {path}; it has {_listed(runs)}")


def _begins(run: Run, text: str) -> bool:
    """Return whether the run's uuid begins with `text`, and that is enough of it."""
    return len(text) >= UUID and (run["uuid"] or "").lower().startswith(text.lower())


def _listed(runs: Sequence[Run]) -> str:
    """Return the last of `runs` by number, and by name where they have one."""
    earlier = len(runs) - LISTED
    more = f" and {earlier} earlier" if earlier > 0 else ""
    return f"run{'s' * (len(runs) > 1)} {last_of((run['startID'], run['name']) for run in runs)}{more}"


def last_of(named: Iterable[tuple[int, str | None]]) -> str:
    """Return for a message the last of what has a number and maybe a name, in this order."""
    return ", ".join(f"{number}" + (f" ({name!a})" if name else "") for number, name in [*named][-LISTED:])
