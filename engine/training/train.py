"""The public `train()`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from engine import checkpoint as checkpoints
from engine.compute.precompile import is_compiled
from engine.data.read_options import ReadOptions
from engine.errors import run_in_progress
from engine.nn.model import Model
from engine.nn.optimizers import Optimizer
from engine.settings import Settings, SettingsDict, given_settings
from engine.system.terminal import ProgressLine
from engine.training.prepare import Request, choose_settings, prepare
from engine.training.process import AT_ONCE, TrainingProcess
from engine.training.reporter import Reporter, Result
from engine.training.state import state_of


def train(
    model: Model | str | Path | None = None,
    data: object = None,
    *,
    settings: Settings | None = None,
    optimizer: Optimizer | str | None = None,
    db: Path | str | None = None,
    out: Path | str | None = None,
    resume: Path | str | None = None,
    name: str | None = None,
    size: int | tuple[int, int] | None = None,
    skip_unreadable: bool = False,
    columns: tuple[str, str] | None = None,
    classes: Sequence[str] | None = None,
    target_column: str | None = None,
    task: str | None = None,
    reporter: Reporter | None = None,
    **options: Unpack[SettingsDict],
) -> Result:
    """Train `model` on `data` and return the trained network, its history and where everything is.

    `model`: a Model, the name of a built-in one, or the path of a TOML file (default: letters). `data`: whatever
    `load_data` takes, such as a name, a path, a Dataset or (X, y) (default: the generated letters);
    `size`, `skip_unreadable`, `columns`, `classes`, `target_column` and `task` are as there. `options`: the
    fields of `Settings`, such as workers, epochs, batch_size; they count over `settings`, of which only what is not the
    default counts. `optimizer`: SGD, Momentum or Adam (default), or its name. `db`: the SQLite database of records;
    `out`: the folder of checkpoints; `resume`: a checkpoint, or a folder of them, to continue from; `name`: what the
    run is called in the records.

    Raises a GradsumError: UsageError, DataError, CheckpointError or RecordsError before the run begins, and then the
    latter two, DivergedError, WorkersError or WorkerFailedError.
    """
    given = given_settings(settings, optimizer, options)
    db, out, resume = (None if path is None else Path(path) for path in (db, out, resume))
    named = None if classes is None else tuple(classes)
    reading = ReadOptions(size, skip_unreadable, columns, named, target_column, task)
    request = Request(model, data, db, out, resume, name, given, reading)
    return _train(request, reporter)


def _train(request: Request, given: Reporter | None) -> Result:
    reporter = given or Reporter()
    with ProgressLine(None if given else sys.stderr) as line, TrainingProcess(reporter, line=line) as process:
        earlier = None if request.resume is None else checkpoints.load(request.resume)
        settings = choose_settings(request.settings, earlier)
        process.use_kernels(settings)
        run = None
        if not is_compiled():  # that takes long, so see first whether there is anything to do
            run = prepare(request, settings, earlier, process.converting)
            process.compile_kernels()
        process.start_workers(settings)  # they take a second to start: time to load the data
        reporter.status("preparing data and model")
        run = run or prepare(request, settings, earlier, process.converting)
        state = state_of(run)
        process.claim(run.folder)
        process.open_records(run.db)
        number = process.enter(run)
        with checkpoints.hinted(run.folder, run.last_step(), *AT_ONCE), run_in_progress():
            return process.carry_out(run, number, state)
