"""Putting a run together: defaults, what a resumed run takes from its checkpoint, and what is left behind: nothing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
from engine import checkpoint as checkpoints
from engine.checkpoint import Checkpoint, RunState
from engine.errors import CheckpointError, DataError, ModelError, SettingsError
from engine.settings import Settings
from engine.training.prepare import Request, begin_or_resume, choose_settings, prepare
from engine.training.resume import check_end, continued_settings
from engine.training.run import Run
from tests.support.checkpoints import change_metadata
from tests.support.command import save_data

NO_DB = Path("none.db")
MLP = engine.Model((engine.Flatten(), engine.Dense(4), engine.Relu(), engine.Dense(3)), shape=(8, 8, 1))


@pytest.fixture(autouse=True)
def data() -> str:
    return save_data()


def put_together(
    model: Any = "mlp", data: Any = "data.npz", *, db: str = "", out: str = "", resume: str = "", **given: Any
) -> Run:
    earlier = checkpoints.load(resume) if resume else None
    db_, out_, resume_ = (Path(place) if place else None for place in (db, out, resume))
    request = Request(model, data, db_, out_, resume_, settings={"workers": 0} | given)
    return prepare(request, choose_settings(request.settings, earlier), earlier)


def saved(run: Run, step: int = 5, folder: str = "out", **changes: Any) -> str:
    """Save a checkpoint of `run` with other metadata, and return its folder."""
    layout = run.model.layout()
    tensors = dict(layout.public(layout.zeros()))
    change_metadata(checkpoints.save(folder, Checkpoint(step, tensors, {}, run.state())), **changes)
    return folder


def test_the_defaults() -> None:
    run = put_together(steps=3)
    assert (run.model_name, run.data.name, run.checkpoint) == ("mlp", "data", None)
    assert (run.settings.lr, run.settings.batch_size) == (0.001, 64)
    assert run.db == Path("runs/gradsum.db")
    assert run.folder.parent == Path("runs")
    assert run.folder.name.endswith(run.uuid[:6])
    assert run.source == str(Path("data.npz").absolute())
    pixels = np.load("data.npz")["train_images"]
    assert run.normalisation.mean == pytest.approx([pixels.mean()])
    assert run.normalisation.deviation == pytest.approx([pixels.std()])


@pytest.mark.parametrize(
    ("db", "folder"),
    [
        ("nb.db", "nb"),
        ("a/b.c.db", "a/b.c"),
        ("records", "records-checkpoints"),
        (".hidden", ".hidden-checkpoints"),
        ("gradsum.db", "gradsum"),
        ("runs/gradsum.db", "runs"),
        (".", "."),
    ],
)
def test_each_database_but_the_default_has_a_folder_for_its_checkpoints(db: str, folder: str) -> None:
    assert put_together(steps=3, db=db).folder.parent == Path(folder)
    if db == "runs/gradsum.db":
        db = str(Path(db).absolute())
        assert put_together(steps=3, db=db).folder.parent == Path(folder).absolute()


def test_a_checkpoint_from_another_machine_goes_into_the_database_at_hand() -> None:
    run = put_together(steps=9)
    for recorded, found in (
        ("/another/machine/runs/gradsum.db", Path("runs/gradsum.db")),
        (str(Path("deleted.db").absolute()), Path("deleted.db").absolute()),
        (None, Path("runs/gradsum.db")),
        ("/proc/1/root/closed/x.db", Path("runs/gradsum.db")),
    ):
        assert put_together(None, None, resume=saved(run, db=recorded)).db == found
        assert put_together(None, None, resume="out", db="given.db").db == Path("given.db")


def test_samples_of_one_class_teach_nothing() -> None:
    split = engine.Split(np.zeros((12, 4, 4, 1), np.uint8), np.ones(12, np.int32))
    data = engine.Dataset("one", ("a", "b"), split, split)
    with pytest.raises(DataError, match=r"^one: all 12 images that are trained with are of class b: there is nothing"):
        put_together("mlp", data)


def test_data_that_is_not_where_it_was_is_asked_for() -> None:
    run = put_together(steps=9)
    saved(run)
    Path("data.npz").rename("moved.npz")
    where = Path("data.npz").absolute()
    digest = run.digest[:12]
    with pytest.raises(DataError, match=rf"with the data in {where}, .* with --data \(its digest is {digest}\)"):
        put_together(None, None, resume="out")
    with pytest.raises(CheckpointError, match=r"data data .*, this is moved"):  # the name is a part of the digest
        put_together(None, "moved.npz", resume="out")
    Path("elsewhere").mkdir()
    Path("moved.npz").rename("elsewhere/data.npz")
    assert put_together(None, "elsewhere/data.npz", resume="out").source == str(Path("elsewhere/data.npz").absolute())


def test_nothing_is_made_before_the_run_begins() -> None:
    put_together(steps=3)
    put_together(steps=3, out="some/where/deep")
    Path("mine").mkdir()
    put_together(steps=3, out="mine/new")
    assert sorted(path.name for path in Path().iterdir()) == ["data.npz", "mine"]
    assert list(Path("mine").iterdir()) == []


def test_paths_and_objects_are_taken_as_well_as_names() -> None:
    Path("m.toml").write_text("[[layers]]\ntype = 'Flatten'\n[[layers]]\ntype = 'Dense'\nfeatures = 3")
    for model in ("m.toml", Path("m.toml")):
        run = put_together(model, Path("data.npz"))
        assert (run.model_name, run.data.name) == ("m.toml", "data")
    own = put_together(MLP, run.data)
    assert (own.model, own.model_name, own.source) == (MLP, "own", None)
    assert own.digest == run.digest
    assert own.uuid != run.uuid


def test_dropout_is_built_into_the_model() -> None:
    dropouts = [layer for layer in put_together(dropout=0.25).model.layers if isinstance(layer, engine.Dropout)]
    assert {layer.rate for layer in dropouts} == {0.25}


def test_the_job_and_the_row_say_what_the_run_does() -> None:
    run = put_together(steps=3, batch_size=7, microbatch=2, seed=9, augment=True, optimizer="sgd")
    job, row = run.job(), run.row()
    assert (job.batch_size, job.microbatch, job.seed, job.augment, job.data) == (7, 2, 9, True, run.digest)
    assert (row.optimizer, row.lr, row.batch_size, row.uuid, row.data) == ("sgd", 0.01, 7, run.uuid, "data")
    assert "numerics" in row.versions
    assert row.generated is False


def test_a_resumed_run_is_the_same_run() -> None:
    run = put_together(steps=9, batch_size=8, lr=0.5, db="mine.db", augment=True)
    again = put_together(None, None, resume=saved(run), steps=20, workers=3)
    assert again.checkpoint is not None
    assert (again.checkpoint.step, again.folder) == (5, Path("out"))
    assert (again.uuid, again.digest, again.source, again.model) == (run.uuid, run.digest, run.source, run.model)
    assert (again.model_name, again.db) == ("mlp", Path("mine.db").absolute())
    assert (again.settings.steps, again.settings.workers) == (20, 3)
    assert again.settings.asdict() | {"steps": 9, "workers": 0} == run.settings.asdict()
    file = str(checkpoints.newest("out"))
    assert put_together(None, None, resume=file, steps=20).folder == Path("out")
    assert put_together("mlp", "data.npz", resume="out", steps=20, out="new").folder == Path("new")


def test_a_new_end_replaces_all_the_old_ones() -> None:
    run = put_together(epochs=50, time_limit=3600, target=99)
    rest = put_together(None, None, resume=saved(run), epochs=2_000).settings
    assert (rest.epochs, rest.steps, rest.time_limit, rest.target) == (2_000, None, None, None)
    rest = put_together(None, None, resume="out").settings
    assert (rest.epochs, rest.steps, rest.time_limit, rest.target) == (50, None, 3600, 99)


@pytest.mark.parametrize("change", [{"lr": 0.1}, {"seed": 5}, {"microbatch": 4}, {"dropout": 0.5}, {"augment": True}])
def test_what_decides_over_bits_cannot_change(change: dict[str, Any]) -> None:
    folder = saved(put_together(steps=9))
    [name] = change
    with pytest.raises(CheckpointError, match=f"the run began with {name}"):
        put_together(None, None, resume=folder, **change)


def test_what_was_given_before_may_be_given_again() -> None:
    settings = Settings(lr=0.5, batch_size=8, steps=9).resolved()
    stored = RunState(settings=settings.asdict())
    assert continued_settings(stored, {"lr": 0.5, "batch_size": 8, "epochs": None}) == settings
    assert continued_settings(stored, {"lr": None}) == settings


def test_a_run_that_began_with_another_default_micro_batch_keeps_it() -> None:
    before = Settings(batch_size=64, steps=9).resolved()
    stored = RunState(settings=before.asdict() | {"microbatch": 16})
    assert continued_settings(stored, {"workers": 3}).resolved().microbatch == 16
    assert before.microbatch != 16


@pytest.mark.parametrize(
    "settings", [{"colour": "red"}, {"batch_size": "many"}, {"lr": -1.0}], ids=["unknown", "wrong type", "out of range"]
)
def test_settings_of_another_version_are_the_checkpoints_fault(settings: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="the checkpoint's settings do not suit this version"):
        continued_settings(RunState(settings=settings), {})


@pytest.mark.parametrize("stored", [None, {}])
def test_a_checkpoint_without_settings_is_not_resumed_with_those_of_any_run(stored: dict[str, Any] | None) -> None:
    folder = saved(put_together(steps=9), settings=stored)
    with pytest.raises(CheckpointError, match="has no settings of its run, so it cannot be resumed"):
        put_together(None, None, resume=folder, lr=0.5)


def test_data_or_model_of_another_run() -> None:
    folder = saved(put_together(steps=9))
    save_data("other.npz", seed=2)
    with pytest.raises(CheckpointError, match=r"began with data data \(digest \w{12}\), this is other \(\w{12}\)"):
        put_together(None, "other.npz", resume=folder)
    with pytest.raises(CheckpointError, match="began with another model; omit --model"):
        put_together(MLP, None, resume=folder)


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"data": {"name": "x", "digest": "y"}}, SettingsError, r"began with data given in Python \(x\)"),
        ({"data": {"source": None}}, SettingsError, "began with data given in Python"),
        ({"data": {"source": "gone.npz"}}, DataError, "the data in gone.npz, which is not there"),
        ({"model": {"layers": []}}, ModelError, "at least one layer"),
    ],
)
def test_checkpoints_that_lack_something(changes: dict[str, Any], error: type[Exception], text: str) -> None:
    folder = saved(put_together(steps=9), **changes)
    with pytest.raises(error, match=text):
        put_together(None, None, resume=folder)


def test_what_a_checkpoint_does_not_say_has_a_default() -> None:
    folder = saved(put_together(steps=9), db=None, model_name=None)
    run = put_together(None, None, resume=folder)
    assert (run.db, run.model_name) == (Path("runs/gradsum.db"), "letters")


def test_a_run_that_has_nothing_left_to_do() -> None:
    seen = {"step": 5, "correct": 1, "total": 2, "loss": 0.5}
    earlier = Checkpoint(5, {}, {}, RunState(validation=seen))
    check_end(None, earlier, NO_DB)
    check_end(6, earlier, NO_DB)
    check_end(5, replace(earlier, run=RunState(validation=seen | {"step": 4})), NO_DB)
    check_end(5, replace(earlier, run=RunState()), NO_DB)
    with pytest.raises(SettingsError, match=r"already at step 5 and ends at step 5; .* give more --steps or --epochs"):
        check_end(5, earlier, NO_DB)
    folder = saved(put_together(steps=5), validation=seen)
    with pytest.raises(SettingsError, match="already at step 5"):
        put_together(None, None, resume=folder)


def test_the_model_has_to_suit_the_data() -> None:
    with pytest.raises(ModelError, match=r"takes images of 28x28x1 \(H x W x C\), the data has 8x8x1"):
        put_together(engine.Model((engine.Flatten(), engine.Dense(3))))
    with pytest.raises(ModelError, match="has 2 outputs, the data 3 classes"):
        put_together(engine.Model((engine.Flatten(), engine.Dense(2)), shape=(8, 8, 1)))


def test_checkpoints_of_another_run_are_safe() -> None:
    folder = saved(put_together(steps=9))
    with pytest.raises(CheckpointError, match="holds checkpoints of another run"):
        put_together(steps=9, out=folder)


def test_a_job_that_is_started_again_begins_once() -> None:
    out = Path("out")
    assert begin_or_resume(out, None) == (None, out)
    assert begin_or_resume(out, out) == (None, out)
    saved(put_together(out="out"))
    assert begin_or_resume(out, None) == (out, None)
    with pytest.raises(SettingsError, match="or-begin goes with --resume FOLDER"):
        begin_or_resume(None, None)
    with pytest.raises(SettingsError, match="the run begins in none, where it is resumed; leave out --out out"):
        begin_or_resume(Path("none"), out)
