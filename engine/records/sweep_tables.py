"""The tables of sweeps and their trials."""

COLUMNS: dict[str, dict[str, tuple[str, str]]] = {
    "sweeps": {
        "sweep": ("INTEGER", "number of the sweep in this database"),
        "uuid": ("TEXT", "the sweep's own name; those of its runs are made from it"),
        "name": ("TEXT", "a name given by a person, or NULL"),
        "created": ("TEXT", "ISO 8601 UTC"),
        "over": ("TEXT", "JSON object: what each setting is tried with, as it was given"),
        "sampler": ("TEXT", "grid, random or tpe"),
        "trials": ("INTEGER", "how many trials there are to be"),
        "prune_after": ("INTEGER", "trials to be finished before one is stopped early; 0: none ever is"),
        "seed": ("INTEGER", "seed of the sampler"),
        "settings": ("TEXT", "JSON object: the settings that were given for all trials"),
        "model": ("TEXT", "name of the model, or the path of its file; of several, the first"),
        "models": ("TEXT", "JSON object: each model by that name, as its layers are described in a file"),
        "data": ("TEXT", "name of the data set, or its path; NULL if it was given in Python"),
        "data_digest": ("TEXT", "hex digest of the data set"),
        "folder": ("TEXT", "where the checkpoints of its runs are, a folder each, and the best settings"),
    },
    "trials": {
        "sweep": ("INTEGER", "the sweep: sweeps.sweep"),
        "number": ("INTEGER", "number of the trial in the sweep; the first is 1"),
        "startID": ("INTEGER", "the run: runs.startID"),
        "parameters": ("TEXT", "JSON object: what the settings of the sweep are in this trial"),
        "state": (
            "TEXT",
            "running (and so it stays if the process is killed), "
            "finished, pruned (stopped early), failed (diverged) or interrupted",
        ),
        "value": ("REAL", "best percent correct of any validation; NULL if there was none"),
        "step": ("INTEGER", "the first step with that"),
    },
}

PRIMARY_KEYS: dict[str, tuple[str, ...]] = {"sweeps": ("sweep",), "trials": ("sweep", "number")}

STATEMENTS = ("CREATE UNIQUE INDEX IF NOT EXISTS sweeps_name ON sweeps (name)",)
