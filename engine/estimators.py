"""Scikit-learn estimators: networks for its pipelines, searches and scores."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from engine.data import Dataset, Split
from engine.errors import SettingsError
from engine.network import Network, load_network
from engine.nn.model import Model
from engine.nn.optimizers import Optimizer
from engine.training.reporter import Reporter
from engine.training.train import train

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    if error.name is None or not error.name.startswith("sklearn"):
        raise
    raise SettingsError(
        'the estimators need the package scikit-learn 1.6; install it with: pip install "gradsum[sklearn]"'
    ) from None

MEASURED = 256  # samples of training on which the network is validated, for nothing is held out
OWN_ARGUMENTS = {"optimizer", "db", "out", "reporter"}  # arguments of `train` that are not settings
NO_RECORDS = {"snapshot_first": 0, "snapshot_every": 0, "statistics_every": 0}


class _Estimator(BaseEstimator):  # type: ignore[misc]
    """What both have in common.

    `model` is as for `gradsum.train` (by default mlp for features, letters for images), as are `optimizer`, `lr`,
    `epochs`, `batch_size` and `workers`; `options` are further settings by name ({"weight_decay": 1e-4}).
    `random_state` is the seed, or gives one. Nothing is kept of the run unless `db`, the database of records, or `out`,
    the folder of checkpoints, is given.

    X is [N, D] with numbers, or images, uint8 [N, H, W] or [N, H, W, C]. After `fit`, `network_` is the
    `gradsum.Network`, and `checkpoint_` its checkpoint, in bytes: what is pickled.
    """

    def __init__(
        self,
        model: Model | str | None = None,
        *,
        optimizer: Optimizer | str = "adam",
        lr: float | None = 0.003,
        epochs: float = 30,
        batch_size: int = 32,
        workers: int = 0,
        random_state: Any = None,
        db: str | Path | None = None,
        out: str | Path | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.lr = lr
        self.epochs = epochs
        self.batch_size = batch_size
        self.workers = workers
        self.random_state = random_state
        self.db = db
        self.out = out
        self.options = options

    def _samples(self, X: Any) -> Any:
        """Return samples checked; ValueError if they are not such as `fit` took."""
        check_is_fitted(self)
        return _bytes(validate_data(self, X, reset=False, **_kind(X)))

    def _samples_and(self, X: Any, y: Any, **kind: Any) -> tuple[Any, NDArray[Any]]:
        """Return samples to train with, and y, [N]; ValueError for what they cannot be."""
        samples, targets = validate_data(self, X, y, ensure_min_samples=2, **_kind(X), **kind)
        return _bytes(samples), targets

    def _fit(self, inputs: Any, targets: NDArray[Any], classes: tuple[str, ...]) -> Self:
        part = Split(np.ascontiguousarray(inputs), targets)
        data = Dataset("arrays", classes, part, part.only(np.arange(min(len(part), MEASURED))))
        seed = int(check_random_state(self.random_state).randint(1 << 31))
        plain = {"lr": self.lr, "epochs": self.epochs, "batch_size": self.batch_size, "workers": self.workers}
        if taken := OWN_ARGUMENTS & (self.options or {}).keys():
            raise SettingsError(f"options holds {min(taken)}, which is not one of the settings: see the arguments")
        options: dict[str, Any] = ({} if self.db else NO_RECORDS) | plain | {"seed": seed} | (self.options or {})
        with TemporaryDirectory() as folder:
            db, out = self.db or Path(folder) / "r.db", self.out or Path(folder) / "checkpoints"
            done = train(self.model, data, optimizer=self.optimizer, db=db, out=out, reporter=Reporter(), **options)
            self.checkpoint_ = Path(done.checkpoint).read_bytes()
        self.network_ = _network(self.checkpoint_)
        return self

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("network_", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "checkpoint_" in state:
            self.network_ = _network(self.checkpoint_)


class GradsumClassifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    """A network that names classes; labels are whatever scikit-learn takes, and come back as they were."""

    def fit(self, X: Any, y: Any) -> Self:
        """Train on samples with their labels [N]; ValueError for fewer than two classes."""
        samples, labels = self._samples_and(X, y)
        check_classification_targets(labels)
        classes, numbers = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(f"{type(self).__name__} needs at least 2 classes, got 1 class: {classes[0]!r}")
        self._fit(samples, numbers.astype(np.int32), tuple(str(name) for name in classes))
        self.classes_ = classes  # only now: they are those of the network
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return how probable each class is, [N, classes], in the order of `classes_`."""
        samples = self._samples(X)  # raises NotFittedError first
        found = self.network_.probabilities(samples)
        found[found.sum(axis=1) == 0] = 1  # of a network trained on squared error, whose outputs need not sum to 1
        shares: NDArray[np.float64] = found / found.sum(axis=1, keepdims=True)
        return shares

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the likeliest label of each sample, [N]."""
        samples = self._samples(X)
        best = self.network_.logits(samples)[:, : len(self.classes_)].argmax(axis=1)
        likeliest: NDArray[Any] = self.classes_[best]
        return likeliest


class GradsumRegressor(RegressorMixin, _Estimator):  # type: ignore[misc]
    """A network that predicts one value for each sample."""

    def fit(self, X: Any, y: Any) -> Self:
        """Train on samples with their values [N]."""
        samples, values = self._samples_and(X, y, y_numeric=True)
        return self._fit(samples, values.astype(np.float32)[:, None], ())

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the value of each sample, float64 [N]."""
        samples = self._samples(X)
        return self.network_.predict(samples)[:, 0].astype(np.float64)


for _public in (GradsumClassifier, GradsumRegressor):  # help() shows the docstring of a class, and not that of its base
    if _public.__doc__ and _Estimator.__doc__:  # with -OO there are none
        _public.__doc__ += "\n\n" + _Estimator.__doc__.partition("\n\n")[2]


def _network(content: bytes) -> Network:
    """Return the network in the bytes of a checkpoint."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        path.write_bytes(content)
        return load_network(path)


def _kind(samples: Any) -> dict[str, Any]:
    """Return how scikit-learn is to check samples: images have more axes than it expects."""
    return {"allow_nd": True, "dtype": None} if getattr(samples, "ndim", 0) > 2 else {"dtype": np.float32}


def _bytes(samples: Any) -> Any:
    """Return images as [N, H, W, C], and features as they are; ValueError for images of other numbers than bytes."""
    if samples.ndim == 2:
        return samples
    if samples.dtype != np.uint8 or samples.ndim > 4:
        raise ValueError(f"images must be uint8 [N, H, W] or [N, H, W, C], got {samples.dtype} {list(samples.shape)}")
    return samples[..., None] if samples.ndim == 3 else samples
