"""What a person may choose of how a source of data is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from engine.errors import DataError


@dataclass(frozen=True)
class ReadOptions:
    """The keywords of `load`, as `load` describes them. None, or False, stands for what was not chosen."""

    size: int | tuple[int, int] | None = None
    skip_unreadable: bool = False
    columns: tuple[str, str] | None = None
    classes: tuple[str, ...] | None = None
    target_column: str | None = None
    task: str | None = None

    def given(self) -> dict[str, Any]:
        """Return what was chosen, by name, as keywords and as plain data."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if value is not None and value is not False}

    def over(self, earlier: ReadOptions) -> ReadOptions:
        """Return what was chosen here, and besides what was chosen earlier."""
        return replace(earlier, **self.given())

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> ReadOptions:
        """Return the options in plain data, with lists for tuples; DataError for a name that is none."""
        known = {f.name for f in fields(cls)}
        if unknown := plain.keys() - known:
            raise DataError(f"no option {min(unknown)!r} of how data is read")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()
        }
        return cls(**values)
