"""Runs that begin with the parameters of another network."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import engine
from engine.data.letters import letters
from engine.errors import CheckpointError, ModelError, SettingsError
from engine.records import read_run
from tests.support.command import Gradsum

OPTIONS: dict[str, Any] = {"batch_size": 20, "microbatch": 10, "workers": 0, "snapshot_first": 0, "snapshot_every": 0}


@pytest.fixture(autouse=True)
def backend(numpy_kernels: None) -> None:
    """Use numpy's kernels."""


@pytest.fixture(scope="module")
def data() -> engine.Dataset:
    return letters(train=60, test=20, seed=7)


@pytest.fixture(scope="module")
def fewer() -> engine.Dataset:
    """Return data with five classes."""
    rng = np.random.default_rng(1)
    split = engine.Split(rng.integers(0, 256, (30, 28, 28, 1), np.uint8), np.arange(30, dtype=np.int32) % 5)
    return engine.Dataset("fewer", tuple("abcde"), split, split)


class Notes(engine.Reporter):
    def __init__(self) -> None:
        self.notes: tuple[str, ...] = ()

    def started(self, info: Any) -> None:
        self.notes = info.notes


def first(data: engine.Dataset) -> engine.Result:
    return engine.train("mlp", data, steps=3, out="first", db="r.db", **OPTIONS)


def tensors(result: engine.Result) -> dict[str, Any]:
    return {name: array for name, array in load_file(result.checkpoint).items() if not name.startswith("optimizer.")}


def test_a_new_head_for_other_classes(data: engine.Dataset, fewer: engine.Dataset) -> None:
    before = tensors(first(data))
    notes = Notes()
    result = engine.train(
        None, fewer, from_="first", steps=2, freeze="fc1", out="o", db="r.db", reporter=notes, **OPTIONS
    )
    after = tensors(result)
    assert {name: array.shape for name, array in after.items()} == {
        **{name: array.shape for name, array in before.items()},
        "fc3.weights": (5, 64),
        "fc3.bias": (5,),
    }
    assert after["fc1.weights"].tobytes() == before["fc1.weights"].tobytes()
    assert after["fc2.weights"].tobytes() != before["fc2.weights"].tobytes()
    text = "begins with 4 of 6 arrays of first; new: fc3.weights, fc3.bias; not used: fc3.bias, fc3.weights"
    assert text in notes.notes
    assert "frozen: fc1" in notes.notes
    assert result.network.classes == tuple("abcde")
    run = read_run(Path("r.db"), str(result.run)).run
    assert (run["start"], run["model"]) == (text, "mlp")


def test_the_same_classes_keep_the_head_and_a_resumed_run_does_not_begin_again(data: engine.Dataset) -> None:
    before = first(data)
    still = engine.train(None, data, from_=before.checkpoint, steps=1, lr=1e-30, out="o", db="r.db", **OPTIONS)
    assert still.params_sha256 == before.params_sha256, "the rate is too small to change a bit"
    notes = Notes()
    engine.train(None, data, resume="o", steps=2, reporter=notes)
    assert not any("begins with" in note for note in notes.notes)


def test_a_file_of_another_program(data: engine.Dataset) -> None:
    rng = np.random.default_rng(3)
    there: dict[str, Any] = {
        "fc1.weight": rng.normal(size=(128, 784)),  # float64, by PyTorch's name
        "fc2.bias": rng.normal(size=64).astype(np.float32),
        "fc2.weights": rng.normal(size=(3, 3)).astype(np.float32),
        "steps": np.arange(3),
    }
    save_file(there, "other.safetensors")
    notes = Notes()
    given: dict[str, Any] = {"from_": "other.safetensors", "lr": 1e-30, "steps": 1, "out": "o", "db": "r.db"}
    result = engine.train("mlp", data, reporter=notes, **given, **OPTIONS)
    found = tensors(result)
    assert np.array_equal(found["fc1.weights"], there["fc1.weight"].astype(np.float32))
    assert np.array_equal(found["fc2.bias"], there["fc2.bias"])
    assert (
        "begins with 2 of 6 arrays of other.safetensors; new: fc1.bias, fc2.weights, fc3.weights, fc3.bias"
        in notes.notes[0]
    )
    with pytest.raises(ModelError, match=r"does not say of which model: also give --model"):
        engine.train(None, data, **given | {"out": "p"}, **OPTIONS)


def test_what_cannot_be_begun_with(data: engine.Dataset) -> None:
    first(data)
    Path("r.db").unlink()
    save_file({"x": np.zeros(3, np.float32)}, "x.safetensors")
    Path("text.safetensors").write_text("no tensors")
    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        (
            {"from_": "x.safetensors"},
            CheckpointError,
            r"no array in x.safetensors .* such as fc1.weights \(128, 784\); it has x",
        ),
        ({"from_": "text.safetensors"}, CheckpointError, "is not a safetensors file, or damaged"),
        ({"from_": "nowhere"}, CheckpointError, "no such file or folder: nowhere"),
        ({"from_": "x.safetensors", "resume": "first"}, SettingsError, "leave one of them out"),
    ]
    for given, kind, said in wrong:
        with pytest.raises(kind, match=said):
            engine.train("mlp", data, out="o", db="r.db", **given, **OPTIONS)
    assert not Path("r.db").exists()


def test_from_the_command_line(data: engine.Dataset, gradsum: Gradsum) -> None:
    first(data)
    labels = data.train.labels % 4
    np.savez("d.npz", x_train=data.train.images, y_train=labels, x_test=data.train.images, y_test=labels)
    Path("c.toml").write_text('from = "first"\nfreeze = "fc1"\n')
    where = ("--data", "d.npz", "--steps", 2, "--workers", 0, "--db", "r.db", "--out", "o")
    answer = gradsum("train", "--config", "c.toml", *where)
    assert answer.code == 0
    assert "begins with 4 of 6 arrays of first; new: fc3.weights, fc3.bias" in answer.err
    for option, value in (("--from", "nowhere"), ("--freeze", "x*")):
        wrong = gradsum("train", *where, option, value, "--model", "mlp")
        assert wrong.code == 2
        assert len(wrong.err.strip().splitlines()) >= 1
        assert value in wrong.err.splitlines()[-1]
