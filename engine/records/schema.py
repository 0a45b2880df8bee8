"""The tables: every column with its type and its meaning, and the SQL that makes them."""

import sqlite3

from engine.records import snapshot_tables, sweep_tables

VERSION = 4  # PRAGMA user_version; raise it when a table is added or changed
APPLICATION_ID = 0x67736D31  # PRAGMA application_id, "gsm1": a SQLite file with it is ours

_RUN = ("INTEGER", "the run: runs.startID")
_BATCHNO = ("INTEGER", "steps done, this one included; the first is 1")
_EPOCH = ("REAL", "epochs of training data seen so far, with fraction")
_TIME = ("REAL", "wall-clock time, seconds since 1970 UTC")
_ELAPSED = ("REAL", "wall-clock seconds of training so far; a resumed run counts on")
_CPUTIME = ("REAL", "CPU seconds so far, coordinator and workers together")

COLUMNS: dict[str, dict[str, tuple[str, str]]] = {
    "runs": {
        "startID": ("INTEGER", "number of the run in this database"),
        "uuid": ("TEXT", "the run's own name, the same in its checkpoints and in any database"),
        "name": ("TEXT", "a name given by a person, or NULL"),
        "started": ("TEXT", "ISO 8601 UTC"),
        "finished": ("TEXT", "ISO 8601 UTC; NULL while it runs, or when it was killed"),
        "state": ("TEXT", "running, finished, interrupted or failed"),
        "reason": ("TEXT", "why it ended"),
        "model": ("TEXT", "name of the model, or the path of its file"),
        "data": ("TEXT", "name of the data set, or its path"),
        "generated": ("INTEGER", "1 where the data set was generated, 0 where it is real"),
        "data_digest": ("TEXT", "hex digest of the data set"),
        "optimizer": ("TEXT", "sgd, momentum, adam"),
        "lr": ("REAL", "learning rate at the start"),
        "batch_size": ("INTEGER", "samples a step"),
        "microbatch": ("INTEGER", "samples a micro-batch"),
        "workers": ("INTEGER", "workers asked for; 0 is the serial path"),
        "seed": ("INTEGER", "seed of initialisation, order, dropout and augmentation"),
        "settings": ("TEXT", "JSON object of every setting"),
        "versions": ("TEXT", "JSON object: gradsum, python, numpy, scipy, pyzmq, blas, backend and so on"),
        "host": ("TEXT", "host name of the coordinator"),
        "pid": ("INTEGER", "process id of the coordinator"),
        "process": ("TEXT", "boot, PID namespace and start of that process: tells a reused pid apart; NULL if unknown"),
        "cores": ("INTEGER", "cores the coordinator may use"),
        "git_commit": ("TEXT", "commit of the repository in the current folder, or NULL"),
        "command": ("TEXT", "the command line"),
        "folder": ("TEXT", "where its checkpoints are"),
        "steps": ("INTEGER", "steps done at the end"),
        "epochs": ("REAL", "epochs of training data seen at the end"),
        "train_loss": ("REAL", "mean training loss at the end; NULL if not finite"),
        "best_percent": ("REAL", "best percent correct of any validation"),
        "images_per_second": ("REAL", "training images per wall-clock second"),
        "wall_seconds": ("REAL", "wall-clock seconds of training"),
        "cpu_seconds": ("REAL", "CPU seconds, coordinator and workers together"),
        "params_sha256": ("TEXT", "hex digest of the final parameters"),
    },
    "training": {
        "startID": _RUN,
        "batchno": _BATCHNO,
        "epoch": _EPOCH,
        "time": _TIME,
        "elapsed": _ELAPSED,
        "cputime": _CPUTIME,
        "corperc": ("REAL", "percent of this batch that was classified correctly"),
        "avgloss": ("REAL", "mean loss of this batch; NULL where it is nan"),
        "batchsize": ("INTEGER", "samples in this batch"),
        "lr": ("REAL", "learning rate of this step"),
        "momentum": ("REAL", "momentum of this step; NULL where the optimizer has none"),
    },
    "validation": {
        "startID": _RUN,
        "batchno": _BATCHNO,
        "epoch": _EPOCH,
        "time": _TIME,
        "cputime": _CPUTIME,
        "elapsed": _ELAPSED,
        "corperc": ("REAL", "percent of the validation samples classified correctly"),
        "avgloss": ("REAL", "mean loss over the validation samples"),
    },
    "workers": {
        "startID": _RUN,
        "worker": ("TEXT", "name of the worker, one of its own in the run"),
        "host": ("TEXT", "its host name"),
        "pid": ("INTEGER", "its process id there"),
        "joined": ("TEXT", "ISO 8601 UTC, when it was ready to work"),
        "left": ("TEXT", "ISO 8601 UTC; NULL while it works"),
        "reason": ("TEXT", "why it left or was lost"),
        "images": ("INTEGER", "images whose gradients were used"),
        "seconds": ("REAL", "seconds spent computing"),
        "images_per_second": ("REAL", "speed while computing"),
        "fingerprint": ("TEXT", "numerics fingerprint: kernel backend, BLAS and its core type"),
    },
    "events": {
        "id": ("INTEGER", "number of the event in this database"),
        "startID": _RUN,
        "batchno": ("INTEGER", "steps done when it happened, or NULL"),
        "time": _TIME,
        "elapsed": _ELAPSED,
        "kind": ("TEXT", "one word: resumed, joined, left, lost, refused and so on"),
        "worker": ("TEXT", "the worker concerned, or NULL"),
        "text": ("TEXT", "what happened, for people"),
    },
    **snapshot_tables.COLUMNS,
    **sweep_tables.COLUMNS,
}
VIEWS = snapshot_tables.VIEWS  # the meaning of their columns

PRIMARY_KEYS: dict[str, tuple[str, ...]] = {
    "runs": ("startID",),
    "training": ("startID", "batchno"),
    "validation": ("startID", "batchno"),
    "workers": ("startID", "worker"),
    "events": ("id",),
    **snapshot_tables.PRIMARY_KEYS,
    **sweep_tables.PRIMARY_KEYS,
}

# Tables with rows for single steps: a resumed run drops those after the step it resumes from.
STEP_TABLES = ("training", "validation", *snapshot_tables.STEP_TABLES)


def schema_sql() -> list[str]:
    """Return the statements that make every table, index and view that is not there yet."""
    # Slow to import (0.2 s), and needed only for a new database.
    from sqlite_utils import Database  # noqa: PLC0415

    # Strict tables turn a value of the wrong type into an error; SQLite has them since 3.37.
    strict = sqlite3.sqlite_version_info >= (3, 37)
    kinds = {"INTEGER": int, "REAL": float, "TEXT": str, "BLOB": bytes}
    maker = Database(memory=True, execute_plugins=False)
    statements = []
    for table, columns in COLUMNS.items():
        key = PRIMARY_KEYS[table]
        types = {column: kinds[kind] for column, (kind, _) in columns.items()}
        sql = maker.create_table_sql(
            table, types, pk=key[0] if len(key) == 1 else key, strict=strict, if_not_exists=True
        )
        # A number that was given to a run is never given again, even when the run is deleted.
        statements.append(sql.replace("INTEGER PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT"))
    maker.close()
    statements.append("CREATE UNIQUE INDEX IF NOT EXISTS runs_uuid ON runs (uuid)")
    statements.append("CREATE INDEX IF NOT EXISTS events_run ON events (startID)")
    return [*statements, *snapshot_tables.STATEMENTS, *sweep_tables.STATEMENTS]
