"""The promise: the same bits with any number of workers, for every optimizer, and across stop and resume."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import engine
from engine.checkpoint import params_sha256
from engine.data.letters import letters

STEPS = 12  # more than two epochs

# 60 samples in micro-batches of 8: eight of them, the last one smaller; 260 training samples: a smaller last batch.
BLOCK = engine.Residual(
    [engine.Conv2d(8, (3, 2), 2, "same", bias=False), engine.GroupNorm(2), engine.Silu()],
    shortcut=[engine.AvgPool2d(), engine.Conv2d(8, 1)],
)
DEEP = engine.Model((engine.Conv2d(4, 5, 2), BLOCK, engine.GlobalAvgPool(), engine.LayerNorm(), engine.Dense(26)))
CASES: dict[str, dict[str, Any]] = {
    "shortcut, normalised": {"optimizer": engine.SGD(lr=0.05), "model": DEEP},
    "sgd": {"optimizer": engine.SGD(lr=0.05)},
    "momentum": {"optimizer": engine.Momentum(lr=0.02)},
    "adam": {"optimizer": engine.Adam()},
    "adam, dropout, augmentation": {"optimizer": engine.Adam(), "dropout": 0.5, "augment": True},
}
# How a batch is shared out depends neither on the optimizer, which is the coordinator's, nor on the backend: all these
# numbers of workers once, and some of them in the other cases.
WORKERS = {
    "shortcut, normalised": (3,),
    "sgd": (1, 2, 3, 5, 8),
    "momentum": (3,),
    "adam": (3,),
    "adam, dropout, augmentation": (1, 3, 8),
}
BACKENDS = {
    "shortcut, normalised": "numpy",
    "sgd": "numpy",
    "momentum": "numpy",
}  # the others: the default; workers of numpy start faster


@pytest.fixture(autouse=True)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each case of a parametrised test run on its backend."""
    case = getattr(request.node, "callspec", None)
    monkeypatch.setenv("GRADSUM_BACKEND", BACKENDS.get(case.params["name"] if case else "", "auto"))


@pytest.fixture(scope="module")
def data() -> engine.Dataset:
    return letters(train=260, test=50, seed=7)


def run(data: engine.Dataset, out: Path, **settings: Any) -> engine.Result:
    options = {"batch_size": 60, "microbatch": 8, "steps": STEPS, "seed": 3, "validate_every": 10} | settings
    options |= {"snapshot_first": 2, "snapshot_every": 0}
    model = options.pop("model", "letters")
    return engine.train(model, data, db=out / "records.db", out=out, **options)


@pytest.fixture(scope="module")
def serial(data: engine.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], engine.Result]:
    """Return a function that computes a case without workers, once."""
    return cache(lambda name: run(data, tmp_path_factory.mktemp("serial"), workers=0, **CASES[name]))


@pytest.mark.parametrize("name", CASES)
def test_any_number_of_workers_gives_the_same_bits(
    name: str, serial: Callable[[str], engine.Result], data: engine.Dataset, tmp_path: Path
) -> None:
    alone = serial(name)
    assert alone.validation is not None
    for workers in WORKERS[name]:
        parallel = run(data, tmp_path / str(workers), workers=workers, **CASES[name])
        assert parallel.params_sha256 == alone.params_sha256, f"{workers} workers"
        assert parallel.validation == alone.validation
        assert [r.loss for r in parallel.history] == [r.loss for r in alone.history]


@pytest.mark.parametrize(("local", "shared_memory"), [("zmq", True), ("zmq", False), ("unix", False)])
@pytest.mark.parametrize("name", ["sgd"])
def test_each_way_to_local_workers_gives_the_same_bits(
    name: str,
    local: str,
    shared_memory: bool,
    serial: Callable[[str], engine.Result],
    data: engine.Dataset,
    tmp_path: Path,
) -> None:
    alone = serial(name)
    parallel = run(data, tmp_path, workers=2, local=local, shared_memory=shared_memory, **CASES[name])
    assert parallel.params_sha256 == alone.params_sha256


@pytest.mark.parametrize("name", CASES)
def test_stop_and_resume_gives_the_same_bits(
    name: str, serial: Callable[[str], engine.Result], data: engine.Dataset, tmp_path: Path
) -> None:
    whole = serial(name)
    run(data, tmp_path / "parts", workers=2, **CASES[name] | {"steps": 7})
    model = CASES[name].get("model", "letters")
    rest = engine.train(model, data, resume=tmp_path / "parts", steps=STEPS, workers=0)
    assert (rest.steps, rest.params_sha256) == (whole.steps, whole.params_sha256)
    assert rest.validation == whole.validation


def test_other_seeds_and_settings_give_other_bits(data: engine.Dataset, tmp_path: Path) -> None:
    options: list[dict[str, Any]] = [{}, {"seed": 4}, {"augment": True}, {"dropout": 0.5}, {"lr": 0.01}]
    hashes = {run(data, tmp_path / str(i), workers=0, steps=3, **o).params_sha256 for i, o in enumerate(options)}
    assert len(hashes) == len(options)


def test_the_digest_is_that_of_the_checkpoint(data: engine.Dataset, tmp_path: Path) -> None:
    result = run(data, tmp_path, workers=0, steps=2)
    tensors = load_file(result.checkpoint)
    parameters = {name: array for name, array in tensors.items() if not name.startswith("optimizer.")}
    assert params_sha256(parameters) == result.params_sha256
    assert parameters["c2.filter"].shape == (64, 32, 3, 3)
    assert parameters["fc1.weights"].shape == (64, 512)
    network = engine.load(tmp_path)
    assert np.array_equal(network.parameters, result.network.parameters)
    assert np.array_equal(network.predict(data.test.images), result.network.predict(data.test.images))
