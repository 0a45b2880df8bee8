"""The public `train()`."""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Unpack

from engine import checkpoint as checkpoints
from engine.compute.precompile import is_compiled
from engine.data.read_options import ReadOptions
from engine.errors import run_in_progress
from engine.nn.model import Model
from engine.nn.optimizers import Optimizer
from engine.nn.own.imports import Modules, importing
from engine.settings import Settings, SettingsDict, given_settings, paths_given
from engine.system.collector import loading
from engine.system.terminal import ProgressLine
from engine.training.prepare import Request, begin_or_resume, choose_settings, prepare
from engine.training.process import ABORTS, TrainingProcess
from engine.training.reporter import Reporter, Result, checked_reporter
from engine.training.run import Run
from engine.training.state import state_of
from engine.training.storage import known_folder


def train(
    model: Model | str | Path | None = None,
    data: object = None,
    *,
    settings: Settings | None = None,
    optimizer: Optimizer | str | None = None,
    db: Path | str | None = None,
    out: Path | str | None = None,
    resume: Path | str | None = None,
    from_: Path | str | None = None,
    or_begin: bool = False,
    name: str | None = None,
    size: int | tuple[int, int] | None = None,
    skip_unreadable: bool = False,
    columns: tuple[str, str] | None = None,
    classes: Sequence[str] | None = None,
    target_column: str | None = None,
    task: str | None = None,
    import_: Modules = None,
    reporter: Reporter | None = None,
    **options: Unpack[SettingsDict],
) -> Result:
    """Train `model` on `data`, and return the network, its history and where all is; a GradsumError says what is wrong.

    `model`: a Model, the name of a built-in one, or the path of a TOML file (default: letters). `data`: as `load_data`
    takes it (default: the generated letters), like `size`, `skip_unreadable`, `columns`, `classes`, `target_column` and
    `task`. `options`: the fields of `Settings`; they count over `settings`, of which only what is not the default
    counts. `optimizer`: an Optimizer, or its name. `db`: the SQLite database of records; `out`: the folder of
    checkpoints; `resume`: a checkpoint, or a folder of them, to continue from; with `or_begin`, a folder that has none
    yet is where the run begins. `from_`: a safetensors file whose parameters a new run begins with, where names and
    shapes fit; `name`: the run's, in the records. `import_`: modules, or their names or files, with own layers, losses.
    """
    given = given_settings(settings, optimizer, options)
    db, out, resume, from_ = paths_given(db=db, out=out, resume=resume, from_=from_)
    named = None if classes is None else tuple(classes)
    resume, out = begin_or_resume(resume, out) if or_begin else (resume, out)
    reading = ReadOptions(size, skip_unreadable, columns, named, target_column, task)
    request = Request(model, data, db, out, resume, name, given, reading, from_)
    with importing(import_):
        return train_request(request, reporter)


def _unchanged(run: Run) -> Run:
    return run


def train_request(request: Request, given: Reporter | None, change: Callable[[Run], Run] = _unchanged) -> Result:
    """Train as was asked for; `change` may change the run that comes of it."""
    reporter = checked_reporter(given, Reporter)
    with (
        ExitStack() as hint,
        ProgressLine(None if given else sys.stderr) as line,
        TrainingProcess(reporter, line=line) as process,
    ):
        if place := known_folder(request.out, request.resume):
            process.claim(place)  # before anything is read there, which another process may be about to change
        earlier = None if request.resume is None else checkpoints.load(request.resume)
        settings = choose_settings(request.settings, earlier)
        with loading():
            process.use_kernels(settings)
        run = None
        if not is_compiled():  # that takes long, so see first whether there is anything to do
            run = prepare(request, settings, earlier, process.converting)
            process.compile_kernels()
        with loading():
            process.start_workers(settings)  # they take a second to start: time to load the data
        reporter.status("preparing data and model")
        run = run or prepare(request, settings, earlier, process.converting)
        run = change(run)
        state = state_of(run)
        process.claim(run.folder)
        process.open_records(run.db)
        number = process.enter(run)
        if run.rates is None:  # a run of lr-find cannot be resumed
            # Left last, for what ends the run while all is closed, too.
            hint.enter_context(checkpoints.hinted(run.folder, run.uuid, run.last_step(), *ABORTS))
        with run_in_progress():
            return process.carry_out(run, number, state)
