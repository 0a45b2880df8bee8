"""Features and values: the same bits with any number of workers, by any way in, and across stop and resume."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine

RNG = np.random.default_rng(1)
X = (RNG.standard_normal((10_000, 8)) * [1, 10, 100, 0.1, 5, 3, 2, 1000] + [0, 5, 1000, 3, 0, 0, -7, 1e4]).astype("f4")
Y = (X @ (RNG.standard_normal(8) / X.std(axis=0)) * 50 + 7000 + RNG.standard_normal(10_000)).astype("f4")
KINDS = np.where(np.median(Y) < Y, "dear", "cheap")


def run(out: Path, data: Any = (X, Y), **settings: Any) -> engine.Result:
    options = {"epochs": 2, "snapshot_first": 1, "snapshot_every": 0} | settings
    return engine.train(None, data, db=out / "records.db", out=out, **options)


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("csv") / "linear.csv"
    rows = [",".join(map(repr, (*map(float, row), float(y)))) for row, y in zip(X, Y, strict=True)]
    path.write_text("\n".join([",".join([*(f"x{n}" for n in range(8)), "price"]), *rows]))
    return path


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pa, writer = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path: Path = tmp_path_factory.mktemp("parquet") / "linear.parquet"
    writer.write_table(pa.table({f"x{n}": X[:, n] for n in range(8)} | {"price": Y}), path)
    return path


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> engine.Result:
    return run(tmp_path_factory.mktemp("alone"), workers=0)


def test_a_linear_problem_is_learned_with_what_is_the_default(alone: engine.Result) -> None:
    assert alone.validation is not None and alone.validation.r2 is not None
    assert alone.validation.r2 > 0.99
    told, held = alone.network.predict(X), engine.load_data((X, Y)).test
    assert told.shape == (10_000, 1)
    assert np.sqrt(np.mean((told[:, 0] - Y) ** 2)) < 0.1 * Y.std()
    errors = alone.network.predict(held.inputs) - held.targets
    spread = held.targets - held.targets.mean(dtype=float)
    assert alone.validation.r2 == pytest.approx(1 - (errors**2).sum() / (spread**2).sum(), rel=1e-5)
    assert alone.network.evaluate(engine.load_data((X, Y))).r2 == pytest.approx(alone.validation.r2, rel=1e-9)


@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_workers_gives_the_same_bits(workers: int, alone: engine.Result, tmp_path: Path) -> None:
    parallel = run(tmp_path, workers=workers)
    assert (parallel.params_sha256, parallel.validation) == (alone.params_sha256, alone.validation)
    assert [r.loss for r in parallel.history] == [r.loss for r in alone.history]


@pytest.mark.parametrize("way", ["csv", "parquet"])
def test_every_way_in_gives_the_same_bits(
    way: str, alone: engine.Result, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    found = run(tmp_path, request.getfixturevalue(way), workers=0)
    assert (found.params_sha256, found.validation) == (alone.params_sha256, alone.validation)


def test_stop_and_resume_gives_the_same_bits(alone: engine.Result, csv: Path, tmp_path: Path) -> None:
    run(tmp_path, csv, workers=1, epochs=None, steps=140)
    rest = engine.train(resume=tmp_path, epochs=2, workers=0)
    assert (rest.params_sha256, rest.validation) == (alone.params_sha256, alone.validation)
    again = engine.load(tmp_path)
    assert (again.columns, again.targets) == (tuple(f"x{n}" for n in range(8)), ("price",))
    np.testing.assert_array_equal(again.predict(X[:50]), rest.network.predict(X[:50]))


def test_words_are_learned_as_classes(tmp_path: Path) -> None:
    first, second = (run(tmp_path / str(n), (X, KINDS), workers=n) for n in (0, 2))
    assert first.params_sha256 == second.params_sha256
    assert first.validation is not None and first.validation.percent > 95
    assert first.network.classes == ("cheap", "dear")
    assert np.mean(np.array(first.network.classes)[first.network.predict(X)] == KINDS) > 0.95


def test_several_values_and_a_target_that_is_reached(tmp_path: Path) -> None:
    found = run(tmp_path, (X, np.stack([Y, -Y, 1e6 * Y], 1)), workers=0, epochs=9, target=0.98, validate_every=50)
    assert found.reason == "validation reached the target of R² 0.98"
    assert found.network.predict(X[:7]).shape == (7, 3)
    percent_off = found.network.predict(X)[:, 2] / (1e6 * Y) - 1
    assert np.abs(percent_off).mean() < 0.01


def test_nothing_but_the_mean_is_an_r2_of_zero(tmp_path: Path) -> None:
    found = run(tmp_path, (RNG.standard_normal((600, 2)), RNG.standard_normal(600)), workers=0, lr=1e-9, steps=1)
    assert found.validation is not None and found.validation.r2 is not None
    assert -0.5 < found.validation.r2 < 0.1
    assert math.isnan(found.validation.percent)
