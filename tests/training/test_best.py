"""The network that did best in validation is kept, at whatever step that was, and known when the run is resumed."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import engine
from engine.checkpoint import RunState, best, load, params_sha256, save
from engine.compute.sums import Sums
from engine.nn.parameters import Vector
from engine.training.run import Run
from tests.support.command import save_data
from tests.training.test_loop import Journal, loop_of, run_of

RUN: dict[str, Any] = {"model": "mlp", "data": "data.npz", "batch_size": 8, "microbatch": 4, "db": "r.db", "out": "out"}


class Scripted(Journal):
    """Of the four test samples, gets as many right as it is told for the step."""

    def __init__(self, correct: Mapping[int, int]) -> None:
        super().__init__()
        self.correct = correct

    def validate(self, step: int, parameters: Vector) -> Sums:
        self.note("validate", step)
        return Sums(1.0, self.correct[step])


def kept() -> list[int]:
    return sorted(int(path.stem.removeprefix("step-")) for path in Path("out").iterdir())


def trained(correct: Sequence[int], **settings: Any) -> tuple[Run, Journal]:
    """Train with validations after every step that come out like this."""
    run, journal = run_of(steps=len(correct), validate_every=1, **settings), Scripted(dict(enumerate(correct, 1)))
    with loop_of(run, journal) as loop:
        loop.train()
    return run, journal


def test_the_first_of_equals_stays_and_the_rows_are_on_disk_before_it_is_saved() -> None:
    _, journal = trained([1, 3, 2, 3, 0, 1, 2], checkpoint_every=1 << 30)
    assert kept() == [1, 2, 7]
    assert best("out").name == "step-00000002.safetensors"
    assert load(best("out")).run.best == {"correct": 3, "total": 4, "percent": 75.0, "loss": 0.25, "step": 2}
    told = [line for line in journal.heard if line.split()[0] in ("secure", "validate") or "validation" in line]
    assert told[:5] == ["validate 1", "record validation 1", "secure", "validate 2", "record validation 2"]
    assert told[5:7] == ["secure", "validate 3"], "nothing is saved for one that is not better"


def test_the_best_outlives_the_last_three() -> None:
    trained([0, 4, 1, 1, 1, 1, 1, 1], checkpoint_every=1)
    assert kept() == [2, 6, 7, 8]
    assert load(best("out")).step == 2


def test_a_validation_after_the_last_step_was_saved_is_told_by_its_checkpoint() -> None:
    journal = Scripted({2: 1, 3: 4})
    with loop_of(run_of(steps=3, validate_every=2, checkpoint_every=3), journal) as loop:
        loop.train()
    assert load("out").run.best == load("out").run.validation
    assert best("out").name == "step-00000003.safetensors"


def test_a_run_knows_its_best_when_it_is_resumed() -> None:
    run, _ = trained([1, 4, 2, 2, 2], checkpoint_every=1)
    run = replace(run, settings=replace(run.settings, steps=7), checkpoint=load("out"))
    with loop_of(run, Scripted({6: 3, 7: 4})) as loop:
        assert loop.state.progress.best
        assert loop.state.progress.best.step == 2
        loop.train()
    assert kept() == [2, 5, 6, 7]
    Path("out/step-00000002.safetensors").unlink()
    with loop_of(replace(run, checkpoint=load("out")), Journal()) as loop:
        seen = loop.state.progress.best
        assert seen == loop.state.progress.validation, "of those whose network is left"
        assert loop.state.progress.best_percent == 100.0


def test_a_checkpoint_of_an_earlier_version_is_itself_the_best_if_it_was_validated() -> None:
    run, _ = trained([4, 2], checkpoint_every=1)
    for step, validated in ((1, True), (2, False)):
        earlier = load(f"out/step-0000000{step}.safetensors")
        said = earlier.run.validation if validated else None
        old = replace(earlier, run=replace(earlier.run, best=None, validation=said))
        save("old", old)
        run = replace(run, checkpoint=old, folder=Path("old"))
        with loop_of(run, Journal()) as loop:
            assert (loop.state.progress.best is not None) == validated
            assert loop.state.progress.best_percent == 100.0
    assert "best" not in RunState("u").plain(), "what an earlier version wrote is written again as it was"


def test_a_result_tells_of_the_best_and_the_last() -> None:
    save_data()
    whole = engine.train(**RUN, workers=0, steps=60, validate_every=3, lr=0.01)
    assert whole.best
    assert whole.validation
    assert whole.best.checkpoint
    with closing(sqlite3.connect("r.db")) as db:
        curve = db.execute("SELECT batchno, corperc FROM validation ORDER BY batchno").fetchall()
        recorded = db.execute("SELECT best_percent, best_step, last_percent FROM runs").fetchone()
    step, percent = max(curve, key=lambda row: row[1])
    assert step < 60, "otherwise this says nothing"
    assert (whole.best.step, whole.best.percent) == (step, percent)
    assert recorded == (percent, step, curve[-1][1]) == (percent, step, whole.validation.percent)
    assert load(whole.best.checkpoint).step == step
    assert engine.load_network("out", best=True).evaluate(engine.load_data("data.npz")).percent == percent
    assert whole.asdict()["best"] == {
        "step": step,
        "percent": percent,
        "loss": whole.best.loss,
        "checkpoint": f"out/step-{step:08d}.safetensors",
    }
    again = engine.train(**RUN | {"db": "2.db", "out": "2"}, workers=0, steps=step, validate_every=3, lr=0.01)
    assert again.params_sha256 == params_sha256(load(best("out")).parameters)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_any_number_of_workers_keeps_the_same_and_so_does_a_run_that_was_stopped(workers: int) -> None:
    save_data()
    options: Any = {"validate_every": 3, "checkpoint_every": 4, "lr": 0.01}
    whole = engine.train(**RUN | {"db": "1.db", "out": "1"}, workers=0, steps=20, **options)
    engine.train(**RUN, workers=workers, steps=13, **options)
    again = engine.train(data="data.npz", resume="out", workers=workers, steps=20)
    assert whole.best
    assert again.best
    assert (again.best.step, again.best.percent) == (whole.best.step, whole.best.percent)
    assert params_sha256(load(best("out")).parameters) == params_sha256(load(best("1")).parameters)


def test_a_run_that_continues_in_another_folder_takes_the_best_along_if_it_is_there() -> None:
    save_data()
    first = engine.train(**RUN, workers=0, steps=3, validate_every=3)
    Path("out").rename("before")
    # Of step 3, which is the best, there is no better one.
    again = engine.train(data="data.npz", resume="before", out="after", workers=0, steps=4, validate_every=1 << 20)
    assert first.best
    assert again.best
    assert again.best.checkpoint
    assert again.best.checkpoint.parent == Path("after")
