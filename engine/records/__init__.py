"""Records of runs: one SQLite file in WAL mode, written by one thread, readable by anyone at any time.

`Records` writes; `list_runs` and `reading` read. Nothing else in the project writes SQLite. Two runs may write into one
file at the same time, and readers block neither. `COLUMNS` says what every column means.
"""

from engine.records.read import list_runs, reading
from engine.records.records import Records
from engine.records.rows import EventRow, RunRow, Totals, TrainingRow, ValidationRow, WorkerRow
from engine.records.schema import COLUMNS

__all__ = [
    "COLUMNS",
    "EventRow",
    "Records",
    "RunRow",
    "Totals",
    "TrainingRow",
    "ValidationRow",
    "WorkerRow",
    "list_runs",
    "reading",
]
