"""Scikit-learn estimators: in pipelines and searches, pickled, on images; and scikit-learn's own checks."""

import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, make_regression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from engine import Dense, Flatten, GradsumClassifier, GradsumRegressor, Model, Relu, load_network
from engine.errors import SettingsError
from tests.support.repository import ROOT

QUICK: dict[str, Any] = {"epochs": 3, "random_state": 0}


def digits() -> tuple[Any, Any]:
    """Return 400 pictures of digits, uint8 [N, 8, 8], and their labels."""
    some = load_digits()
    return (some.images[:400] * 15).astype(np.uint8), some.target[:400]


def test_pipelines_and_searches_leave_no_records() -> None:
    images, labels = digits()
    rows, words = images.reshape(len(images), -1), np.array([f"digit {label}" for label in labels])
    chosen = make_pipeline(StandardScaler(), GradsumClassifier("mlp", **QUICK))
    search = GridSearchCV(chosen, {"gradsumclassifier__lr": [1e-12, 0.01]}, cv=2).fit(rows, words)
    assert search.best_params_ == {"gradsumclassifier__lr": 0.01}
    assert search.score(rows, words) > 0.8
    assert set(search.predict(rows[:9])) <= set(words)
    assert not list(Path().iterdir())


@pytest.mark.parametrize("kind", [GradsumClassifier, GradsumRegressor])
def test_help_says_what_every_parameter_means(kind: type[Any]) -> None:
    own, *rest = str(kind.__doc__).split("\n\n")
    assert own.startswith("A network that ")
    assert [name for name in kind().get_params() if f"`{name}`" not in " ".join(rest)] == []


def test_images_are_classified_and_a_pickle_answers_the_same() -> None:
    images, labels = digits()
    model = Model((Flatten(), Dense(10)), (8, 8, 1))
    net = GradsumClassifier(model, **QUICK).fit(images, labels)
    assert net.score(images, labels) > 0.8
    again = pickle.loads(pickle.dumps(net))  # noqa: S301 - made here
    assert again.predict_proba(images).tobytes() == net.predict_proba(images).tobytes()
    fitted = clone(net).fit(images[..., None], labels)
    assert fitted.predict_proba(images).tobytes() == net.predict_proba(images).tobytes()
    with pytest.raises(ValueError, match=r"images must be uint8 .* got float64 \[400, 8, 8\]"):
        net.predict(images / 255)


def test_a_pickle_holds_the_bytes_of_the_checkpoint() -> None:
    inputs, values = make_regression(60, 3, random_state=0)
    net = GradsumRegressor(**QUICK).fit(inputs, values)
    Path("net.safetensors").write_bytes(net.__getstate__()["checkpoint_"])
    assert "network_" not in net.__getstate__()
    found = load_network("net.safetensors").predict(inputs.astype(np.float32))[:, 0]
    assert np.array_equal(found, net.predict(inputs))


def test_values_are_learnt() -> None:
    inputs, values = make_regression(200, 4, noise=1, random_state=0)
    assert GradsumRegressor(**QUICK | {"epochs": 30}).fit(inputs, values).score(inputs, values) > 0.9


def test_records_are_kept_where_they_are_asked_for() -> None:
    inputs, values = make_regression(60, 3, random_state=0)
    GradsumRegressor(db="r.db", out="out", options={"weight_decay": 1e-4}, **QUICK).fit(inputs, values)
    assert Path("r.db").exists()
    assert list(Path("out").glob("step-*.safetensors"))


def test_a_single_class_is_refused() -> None:
    with pytest.raises(ValueError, match="needs at least 2 classes, got 1 class"):
        GradsumClassifier(**QUICK).fit(np.eye(3), [1, 1, 1])


def test_the_example_of_the_page_runs() -> None:
    for text in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "sklearn.md").read_text(), re.DOTALL):
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        said = [line.partition("  # ")[2] for line in text.splitlines() if line.startswith("print(")]
        assert len(done.stdout.splitlines()) == len(said) > 0


def test_scikit_learn_is_not_imported_for_others() -> None:
    program = "import sys, gradsum; gradsum.train; assert 'sklearn' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.check
@pytest.mark.computes
@pytest.mark.filterwarnings("ignore:Skipping check")  # of what is not installed: pandas, array_api
@pytest.mark.parametrize("kind", [GradsumClassifier, GradsumRegressor])
def test_scikit_learn_accepts_it(kind: Any) -> None:
    check_estimator(kind())  # no failure is expected


def test_the_likeliest_is_that_of_the_outputs_also_of_a_network_trained_on_squared_error() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.random((300, 4)).astype(np.float32), rng.integers(0, 10, 300)
    model = Model((Dense(64), Relu(), Dense(10)), (4,), loss="mean_squared_error")
    fitted = GradsumClassifier(model, epochs=2, lr=0.05, random_state=0).fit(X, y)
    asked = rng.normal(size=(500, 4)).astype(np.float32) * 2
    assert fitted.predict(asked).tolist() == [int(name) for name in fitted.network_.labels(asked)]
    assert np.allclose(fitted.predict_proba(asked).sum(axis=1), 1)


def test_a_fit_that_fails_changes_nothing_and_arguments_are_no_options() -> None:
    X, y = np.random.default_rng(0).random((60, 4)), np.arange(60) % 2
    fitted = GradsumClassifier("mlp", **QUICK).fit(X, y)
    before = fitted.predict(X)
    fitted.set_params(optimizer="nonsense")
    with pytest.raises(SettingsError):
        fitted.fit(X, np.array(["cat", "dog"])[y])
    assert np.array_equal(fitted.predict(X), before)
    fitted.set_params(optimizer="adam", options={"reporter": None})
    with pytest.raises(SettingsError, match="options holds reporter, which is not one of the settings"):
        fitted.fit(X, y)
