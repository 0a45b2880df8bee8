"""Records of runs: one SQLite file in WAL mode, written by one thread, readable by anyone at any time.

`Recorder` writes; `list_runs`, `read_run`, `find_sweep`, `read_trials`, `reading` and `snapshots` read; `remove_runs`
and `remove_snapshots` delete, `give_back` makes the file smaller; `history` has the steps of one run. Nothing else in
the project writes SQLite. Two runs may write into one file at the same time, and readers block neither. `COLUMNS` and
`VIEWS` say what every column means.
"""

from engine.records import history, snapshots
from engine.records.catch_up import look
from engine.records.chunks import Snapshot
from engine.records.delivery import Pace
from engine.records.find import find_run
from engine.records.places import Place, places
from engine.records.read import RunRecord, list_runs, read_run, reading, run_in
from engine.records.read_rows import Event, Run, Validation, Worker
from engine.records.recorder import Recorder
from engine.records.remove import give_back, remove_runs, remove_snapshots
from engine.records.rows import (
    ClassRow,
    ConfusionRow,
    EventRow,
    HistogramRow,
    RunRow,
    StatisticsRow,
    SweepRow,
    Totals,
    TrainingRow,
    TrialRow,
    ValidationRow,
    WorkerRow,
)
from engine.records.run_bytes import snapshot_bytes
from engine.records.schema import COLUMNS, VIEWS
from engine.records.side_file import NAME as SIDE_FILE
from engine.records.status import RunStatus, TrialStatus
from engine.records.sweeps import Point, TrialRecord, check_idle, find_sweep, read_trials

__all__ = [
    "COLUMNS",
    "SIDE_FILE",
    "VIEWS",
    "ClassRow",
    "ConfusionRow",
    "Event",
    "EventRow",
    "HistogramRow",
    "Pace",
    "Place",
    "Point",
    "Recorder",
    "Run",
    "RunRecord",
    "RunRow",
    "RunStatus",
    "Snapshot",
    "StatisticsRow",
    "SweepRow",
    "Totals",
    "TrainingRow",
    "TrialRecord",
    "TrialRow",
    "TrialStatus",
    "Validation",
    "ValidationRow",
    "Worker",
    "WorkerRow",
    "check_idle",
    "find_run",
    "find_sweep",
    "give_back",
    "history",
    "list_runs",
    "look",
    "places",
    "read_run",
    "read_trials",
    "reading",
    "remove_runs",
    "remove_snapshots",
    "run_in",
    "snapshot_bytes",
    "snapshots",
]
