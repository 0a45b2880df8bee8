"""Which run rows belong to, and where they wait."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunOwner:
    """A run: its number in the database, its uuid, and the folder of its checkpoints, if it has one."""

    number: int
    uuid: str
    folder: Path | None

    def is_in(self, connection: sqlite3.Connection) -> bool:
        """Return whether the database has this run under this number. Raises what SQLite does."""
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'runs'").fetchone():
            return False
        found = connection.execute("SELECT uuid FROM runs WHERE startID = ?", (self.number,)).fetchone()
        return found is not None and found[0] == self.uuid
