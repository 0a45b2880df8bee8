"""The promise for every option of training: the same bits with any number of workers, and across stop and resume."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest

import engine
from engine.data.letters import letters
from tests.end_to_end.test_relays import address, machines

__all__ = ["address"]  # a fixture

STEPS = 24
HALF = 13

# 60 samples in micro-batches of 8, as in test_exact; a validation after every 5 steps.
EVERYTHING: dict[str, Any] = {
    "optimizer": "adamw",
    "weight_decay": 0.1,
    "schedule": "cosine",
    "warmup": 4,
    "clip_norm": 0.5,
    "label_smoothing": 0.1,
    "class_weights": "balanced",
    "dropout": 0.2,
    "augment": "shift=1,flip,rotate=15,crop,noise=3",
}
CASES: dict[str, dict[str, Any]] = {
    "nesterov": {"optimizer": "nesterov", "weight_decay": 0.01},
    "rmsprop": {"optimizer": "rmsprop", "lr": 0.001, "weight_decay": 0.01},
    "adamw": {"optimizer": "adamw"},
    "warm-up": {"warmup": 20},
    "cosine": {"schedule": "cosine", "warmup": 5},
    "linear": {"schedule": "linear", "min_lr": 1e-4},
    "step": {"schedule": "step", "decay_every": 9, "decay_factor": 0.5},
    "onecycle": {"schedule": "onecycle"},
    "clipping": {"clip_norm": 0.1},
    "smoothing": {"label_smoothing": 0.2},
    "augmentation": {"augment": "flip,rotate=20,crop=0.3"},
    "freeze": {"freeze": "fc[12]", "optimizer": "adamw", "weight_decay": 0.5},
    "weights": {"class_weights": ",".join(str(1 + k % 3) for k in range(26))},
}
QUICK = ("step", "smoothing")


@pytest.fixture(autouse=True)
def backend(numpy_kernels: None) -> None:
    """Use numpy's kernels: what the options add is computed by the same code with any of them."""


@cache
def data() -> engine.Dataset:
    return letters(train=260, test=50, seed=7)


def run(out: Path, **settings: Any) -> engine.Result:
    options = {"batch_size": 60, "microbatch": 8, "seed": 3, "validate_every": 5, "snapshot_first": 0} | settings
    return engine.train("mlp", data(), db=out / "records.db", out=out, snapshot_every=0, **options)


def parts(out: Path, **settings: Any) -> engine.Result:
    """Train for half the steps of a schedule that spans them all, then resume without workers."""
    run(out, workers=0, steps=HALF, schedule_steps=STEPS, **settings)
    return engine.train("mlp", data(), resume=out, steps=STEPS, workers=0)


def test_all_options_together(tmp_path: Path) -> None:
    alone = run(tmp_path / "0", workers=0, steps=STEPS, **EVERYTHING)
    for workers in (1, 3):
        parallel = run(tmp_path / str(workers), workers=workers, steps=STEPS, **EVERYTHING)
        assert parallel.params_sha256 == alone.params_sha256, f"{workers} workers"
        assert parallel.validation == alone.validation
    rest = parts(tmp_path / "parts", **EVERYTHING)
    assert (rest.steps, rest.params_sha256) == (STEPS, alone.params_sha256)


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.check) for n in CASES])
def test_every_option_has_bits_of_its_own_and_keeps_them_when_resumed(name: str, tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", workers=0, steps=STEPS, **CASES[name])
    assert whole.params_sha256 != run(tmp_path / "plain", workers=0, steps=STEPS).params_sha256
    assert parts(tmp_path / "parts", **CASES[name]).params_sha256 == whole.params_sha256


@pytest.mark.check
@pytest.mark.parametrize("name", CASES)
def test_every_option_with_any_number_of_workers(name: str, tmp_path: Path) -> None:
    alone = run(tmp_path / "0", workers=0, steps=STEPS, **CASES[name])
    for workers in (1, 3, 8):
        parallel = run(tmp_path / str(workers), workers=workers, steps=STEPS, **CASES[name])
        assert parallel.params_sha256 == alone.params_sha256, f"{workers} workers"


@pytest.mark.check
def test_every_option_through_a_relay(tmp_path: Path, address: str) -> None:
    others = {"plateau": {"plateau": 1}, "top k": {"top_k": 3}, "all": EVERYTHING}
    with machines(address, 1):  # the same for all runs
        for name, settings in (CASES | others).items():
            alone = run(tmp_path / name / "0", workers=0, steps=STEPS, **settings)
            remote = {"workers": 0, "bind": address, "insecure": True, "min_workers": 2}
            parallel = run(tmp_path / name / "relay", steps=STEPS, **remote, **settings)
            assert parallel.params_sha256 == alone.params_sha256, name
            assert parallel.validation == alone.validation, name
