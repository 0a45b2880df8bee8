"""The training loop with a source that invents its sums: the order of a step, and what it costs."""

import logging
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import engine
from engine.checkpoint import load
from engine.compute.sums import Sums
from engine.coordinator.source import Pending, Timing, WorkerReport
from engine.errors import DivergedError, InterruptedRoundError, UnsavedError, WorkersError
from engine.nn.parameters import Vector
from engine.records import Recorder
from engine.system.clock import TimeLimit
from engine.system.signals import Interrupt
from engine.training.bookkeeping import Bookkeeping
from engine.training.checkpoint_writer import CheckpointWriter
from engine.training.context import RunContext
from engine.training.loop import Loop
from engine.training.prepare import Request, choose_settings, prepare
from engine.training.reporter import Reporter, StepReport
from engine.training.run import Run
from engine.training.snapshots import SnapshotRecorder, schedule_for
from engine.training.state import state_of
from engine.training.step_log import StepLog
from engine.training.step_times import WARM_UP
from engine.training.stopping import StopKind, Stopping
from tests.support.fakes import FakeClock

MODEL = engine.Model((engine.Flatten(), engine.Dense(2)), shape=(2, 2, 1))


class Journal(Reporter):
    """Keeps what happens, in order; stands for the reporter, the source and the records."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.timing = Timing()
        self.sums = Sums(0.5, 1)
        self.quiet = False

    def note(self, *words: object) -> None:
        if not self.quiet:
            self.heard.append(" ".join(map(str, words)))

    def start(self, step: int, parameters: Vector, out: Vector) -> Pending:
        self.note("start", step)
        out.fill(1.0)

        def result() -> Sums:
            self.note("result", step)
            return replace(self.sums, gradient=out)

        return Pending(result)

    def verify(self, step: int, parameters: Vector, sums: Sums) -> Sums | None:
        self.note("verify", step)
        return None

    def validate(self, step: int, parameters: Vector) -> Sums:
        self.note("validate", step)
        return Sums(1.0, 2)

    def workers(self) -> list[WorkerReport]:
        return []

    def cpu_seconds(self) -> float:
        return 0.0

    def step(self, report: StepReport, workers: list[WorkerReport]) -> None:
        self.note("report", report.step)


class NoRecords:
    """Records that keep nothing."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def training(self, row: Any) -> None:
        self._journal.note("record", row.batchno)

    def validation(self, row: Any) -> None:
        self._journal.note("record validation", row.batchno)

    def snapshot_schedule(self, schedule: Any) -> None:
        pass

    def event(self, row: Any) -> None:
        self._journal.note("event", row.kind)

    def secure(self) -> None:
        self._journal.note("secure")

    def news(self) -> list[str]:
        return []


def made_up() -> engine.Dataset:
    rng = np.random.default_rng(1)
    train = engine.Split(rng.integers(0, 256, (20, 2, 2, 1), np.uint8), np.arange(20, dtype=np.int32) % 2)
    return engine.Dataset("made up", ("a", "b"), train, engine.Split(train.images[:4], train.labels[:4]))


def run_of(**settings: Any) -> Run:
    given = {"batch_size": 4, "microbatch": 2, "workers": 0, "statistics_every": 0, "snapshot_every": 0} | settings
    request = Request(MODEL, made_up(), out=Path("out"), settings=given | {"snapshot_first": 0})
    return prepare(request, choose_settings(request.settings))


@contextmanager
def loop_of(
    run: Run, journal: Journal, clock: FakeClock | None = None, records: NoRecords | None = None
) -> Iterator[Loop]:
    clock, interrupt = clock or FakeClock(), Interrupt()
    context = RunContext(journal, interrupt, clock, TimeLimit(clock, None))
    state, kept = state_of(run), cast(Recorder, records or NoRecords(journal))
    with SnapshotRecorder(schedule_for(run.settings, state.layout), state.layout, kept, journal.notice) as snapshots:
        yield Loop(
            run=run,
            state=state,
            source=journal,
            stopping=Stopping(run.settings, run.last_step(), interrupt, context.limit),
            log=StepLog(run, state, journal, kept, Bookkeeping(kept, journal), context),
            checkpoints=CheckpointWriter(run.folder, state, run.state()),
            snapshots=snapshots,
            context=context,
            notice=lambda notice: journal.note(notice.kind, notice.text),
        )


def test_of_one_step_that_it_is_done() -> None:
    with loop_of(run_of(steps=1), Journal()) as loop:
        assert loop.train().text == "1 step is done"


def test_a_step_is_recorded_while_the_next_is_computed() -> None:
    journal = Journal()
    with loop_of(run_of(steps=3, validate_every=2, checkpoint_every=2), journal) as loop:
        stop = loop.train()
    assert (stop.kind, stop.text) == (StopKind.LAST_STEP, "3 steps are done")
    assert journal.heard == [
        *("start 1", "result 1"),
        *("start 2", "record 1", "report 1", "result 2"),
        *("record 2", "report 2", "validate 2", "record validation 2", "secure"),
        *("start 3", "result 3"),
        *("record 3", "report 3", "validate 3", "record validation 3", "secure"),
    ]
    assert load("out").step == 3


def test_the_last_step_is_recorded_where_the_next_cannot_be_started() -> None:
    class Hopeless(Journal):
        def start(self, step: int, parameters: Vector, out: Vector) -> Pending:
            if step == 2:
                raise WorkersError("no worker is left")
            return super().start(step, parameters, out)

    journal = Hopeless()
    with loop_of(run_of(steps=3), journal) as loop, pytest.raises(WorkersError, match="no worker is left"):
        loop.train()
    assert journal.heard == ["start 1", "result 1", "record 1", "report 1"]


def test_sums_that_are_not_finite_are_verified_and_then_given_up() -> None:
    journal = Journal()
    journal.sums = Sums(float("nan"), 0)
    with loop_of(run_of(steps=3), journal) as loop:
        before = loop.state.parameters.copy()
        with pytest.raises(DivergedError, match=r"step 1: the loss is nan; .* are in the loss; the parameters"):
            loop.train()
    doubt = "not finite step 1: the loss or the gradient is not finite"
    assert journal.heard == ["start 1", "result 1", doubt, "verify 1", "secure"]
    assert loop.state.parameters.tobytes() == before.tobytes()
    assert load("out").step == 0


def test_a_run_that_diverges_names_what_it_keeps_and_the_best() -> None:
    class Diverging(Journal):
        def start(self, step: int, parameters: Vector, out: Vector) -> Pending:
            self.sums = Sums(float("nan") if step == 3 else 0.5, 1)
            return super().start(step, parameters, out)

    with loop_of(run_of(steps=5, validate_every=1), Diverging()) as loop, pytest.raises(DivergedError) as caught:
        loop.train()
    kept = "the parameters before it are in out/step-00000002.safetensors"
    assert f"; {kept}, and the best validation is that of the checkpoint of step 1; try" in str(caught.value)


def test_a_round_that_was_given_up_for_no_reason_is_a_fault_of_ours() -> None:
    class Lost(Journal):
        def validate(self, step: int, parameters: Vector) -> Sums:
            raise InterruptedRoundError

    with loop_of(run_of(steps=3, validate_every=1), Lost()) as loop, pytest.raises(InterruptedRoundError):
        loop.train()


def test_what_is_saved_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "gradsum.training"), loop_of(run_of(steps=1), Journal()) as loop:
        loop.train()
    assert [record.getMessage() for record in caplog.records] == ["checkpoint saved: out/step-00000001.safetensors"]


def test_steps_cost_no_memory() -> None:
    journal = Journal()
    journal.quiet = True
    never = {"validate_every": 1 << 30, "checkpoint_every": 1 << 30}
    with loop_of(run_of(steps=2_000, **never), journal) as loop:
        loop.train()  # fills what is kept of recent steps
        loop.stopping = replace(loop.stopping, last_step=7_000)
        tracemalloc.start()
        try:
            loop.train()
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert loop.state.progress.taken == 7_000
    assert kept < 20_000, "bytes that 5,000 steps left behind"


class Slow(Journal):
    """A source whose steps take `seconds` each by the clock of the run."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        super().__init__()
        self._clock, self._seconds = clock, seconds

    def start(self, step: int, parameters: Vector, out: Vector) -> Pending:
        self._clock.time += self._seconds
        return super().start(step, parameters, out)


@pytest.mark.parametrize("steps", [1, WARM_UP, WARM_UP + 1, WARM_UP + 2])
@pytest.mark.parametrize("validate_every", [5, 1 << 30])
def test_the_speed_is_that_of_whole_steps(steps: int, validate_every: int) -> None:
    clock = FakeClock()
    with loop_of(run_of(steps=steps, validate_every=validate_every), Slow(clock, 2.0), clock) as loop:
        loop.train()
    assert loop.times.images_per_second() == 4 / 2.0
    assert loop.times.ms()["other"] == 2000


@pytest.mark.parametrize(
    ("every", "seconds", "saved"),
    [
        (0, 1.0, [5, 10, 12]),
        (0, 100.0, [3, 5, 8, 10, 12]),
        (0, 1000.0, list(range(1, 13))),
        (4, 1000.0, [4, 8, 12]),
        ("10m", 100.0, [6, 12]),
        ("0.5h", 100.0, [12]),
        ("90s", 100.0, list(range(1, 13))),
    ],
)
def test_checkpoints_by_steps_and_by_time(
    every: int | str, seconds: float, saved: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    journal = Slow(clock, seconds)
    run = run_of(steps=12, checkpoint_every=every, validate_every=1 << 30)
    with caplog.at_level(logging.INFO, "gradsum.training"), loop_of(run, journal, clock) as loop:
        loop.train()
    told = list(dict.fromkeys(record.getMessage() for record in caplog.records))  # the last has its validation later
    assert told == [f"checkpoint saved: out/step-{n:08}.safetensors" for n in saved]


def test_a_checkpoint_that_cannot_be_saved_is_skipped_and_the_best_is_one_that_is_there() -> None:
    class Spoiling(Slow):
        """Puts a file where the folder of checkpoints was, from step 4 to step 7."""

        def start(self, step: int, parameters: Vector, out: Vector) -> Pending:
            if step == 4:
                Path("out").rename("kept")
                Path("out").touch()
            if step == 8:
                Path("out").unlink()
                Path("kept").rename("out")
            return super().start(step, parameters, out)

        def validate(self, step: int, parameters: Vector) -> Sums:
            return Sums(1.0, {2: 1, 4: 2, 6: 1}.get(step, 0))

        def notice(self, text: str) -> None:
            self.note("notice", text[:35])

    journal = Spoiling(FakeClock(), 1.0)
    with loop_of(run_of(steps=9, checkpoint_every=3, validate_every=2), journal) as loop:
        loop.train()
        best = loop.state.progress.best
    assert best is not None
    assert (best.step, best.correct) == (2, 1), "that of step 4 was not kept"
    skipped = [f"notice the checkpoint of step {n} is skipped" for n in (4, 6)]
    assert [line for line in journal.heard if line.startswith("notice")] == skipped
    assert journal.heard.count("event unsaved") == 2
    assert sorted(path.name for path in Path("out").iterdir()) == [f"step-0000000{n}.safetensors" for n in (2, 3, 9)]


def test_an_interrupted_run_that_cannot_be_saved_says_so() -> None:
    journal = Journal()
    with loop_of(run_of(steps=3, checkpoint_every=1 << 30), journal) as loop:
        Path("out").touch()
        loop.stopping.interrupt.requested = "SIGINT"
        with pytest.raises(UnsavedError, match="interrupted after step 0; not everything could be saved: the"):
            loop.train()


@pytest.mark.parametrize(("clip", "scale"), [(None, 1.0), (0.5, 0.5), (1.0, 1.0), (3.0, 1.0)])
def test_a_gradient_is_scaled_down_to_the_norm_that_it_may_have(clip: float | None, scale: float) -> None:
    """The journal's gradient is 1 for each of 10 parameters, for a batch of 4: its mean has the norm sqrt(10) / 4."""
    norm = np.sqrt(10) / 4
    run = run_of(steps=1, optimizer="sgd", lr=1.0, clip_norm=None if clip is None else clip * norm)
    with loop_of(run, Journal()) as loop:
        before = loop.state.parameters.copy()
        loop.train()
        moved = before - loop.state.parameters
    np.testing.assert_allclose(moved, scale / 4, rtol=1e-5)


def test_the_rate_follows_the_schedule_and_is_on_record() -> None:
    rows: list[Any] = []

    class Kept(NoRecords):
        def training(self, row: Any) -> None:
            rows.append(row)

    journal = Journal()
    run = run_of(steps=4, lr=0.4, schedule="linear", optimizer="sgd")
    with loop_of(run, journal, records=Kept(journal)) as loop:
        loop.train()
    assert [row.lr for row in rows] == pytest.approx([0.4, 0.3, 0.2, 0.1])
    assert [row.gradnorm for row in rows] == pytest.approx([np.sqrt(10) / 4] * 4)
