"""The tables: every column with its type and its meaning, keys, and what else SQLite is told of them."""

from engine.records import snapshot_tables
from engine.records.columns import Columns, column, columns_of
from engine.records.read_rows import Event, Run, RunNumber, Validation, Worker
from engine.records.rows import ClassRow, ConfusionRow, SweepRow, TrainingRow, TrialRow

VERSION = 11  # PRAGMA user_version; raise it when a table is added or changed, and say in `tables` how to get there
APPLICATION_ID = 0x67736D31  # PRAGMA application_id, "gsm1": a SQLite file with it is ours

_SWEEP = columns_of(SweepRow)

COLUMNS: dict[str, Columns] = {
    "runs": columns_of(Run),
    "training": {"startID": column(RunNumber), **columns_of(TrainingRow)},
    "validation": columns_of(Validation),
    "classes": {"startID": column(RunNumber), **columns_of(ClassRow)},
    "confusion": {"startID": column(RunNumber), **columns_of(ConfusionRow)},
    "workers": columns_of(Worker),
    "events": columns_of(Event),
    **snapshot_tables.COLUMNS,
    "sweeps": {
        "sweep": ("INTEGER", "number of the sweep in this database"),
        "uuid": _SWEEP["uuid"],
        "name": _SWEEP["name"],
        "created": ("TEXT", "ISO 8601 UTC"),
        **_SWEEP,
    },
    "trials": columns_of(TrialRow),
}
VIEWS = snapshot_tables.VIEWS  # the meaning of their columns

PRIMARY_KEYS: dict[str, tuple[str, ...]] = {
    "runs": ("startID",),
    "training": ("startID", "batchno"),
    "validation": ("startID", "batchno"),
    "classes": ("startID", "batchno", "number"),
    "confusion": ("startID", "batchno", "label", "answer"),
    "workers": ("startID", "worker"),
    "events": ("id",),
    **snapshot_tables.KEYS,
    "sweeps": ("sweep",),
    "trials": ("sweep", "number"),
}

# A number that was given to one of these is never given again, even when the row is deleted.
NUMBERED = ("runs", "events", "sweeps")

# Tables with rows of single runs. Those of `deleted_snapshots` outlive the run: they say which of its chunks are left.
RUN_TABLES = tuple(name for name, columns in COLUMNS.items() if "startID" in columns and name != "deleted_snapshots")

# Tables with rows for single steps: a resumed run drops those after the step it resumes from.
STEP_TABLES = ("training", "validation", "classes", "confusion", "statistics", "snapshots", "chunks", "histograms")

# What is never NULL, and what refers to a row of another table. None of it is declared for the tables with rows for
# single steps: SQLite takes it on only by copying the table, and those of an older database may be many gigabytes.
REQUIRED: dict[str, tuple[str, ...]] = {
    "runs": ("uuid", "started", "state"),
    "workers": ("startID", "worker"),
    "events": ("startID", "time", "kind", "text"),
    "sweeps": ("uuid", "created"),
    "trials": ("sweep", "number", "startID", "parameters", "state"),
}
REFERENCES: dict[str, tuple[tuple[str, str, str], ...]] = {  # (column, table, its column)
    "workers": (("startID", "runs", "startID"),),
    "events": (("startID", "runs", "startID"),),
    "trials": (("sweep", "sweeps", "sweep"), ("startID", "runs", "startID")),
}

INDEXES: dict[str, tuple[str, tuple[str, ...], bool]] = {  # name: (table, columns, unique)
    "runs_uuid": ("runs", ("uuid",), True),
    "events_run": ("events", ("startID",), False),
    "sweeps_name": ("sweeps", ("name",), True),
    "trials_run": ("trials", ("startID",), False),
}
