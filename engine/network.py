"""A trained network: a model with its parameters and the normalisation of its training set."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import checkpoint as checkpoints
from engine.compute.evaluator import SplitEvaluator
from engine.compute.predictor import CHUNK, Predictor
from engine.compute.tree import microbatches
from engine.compute.validation import Scorer, Validation
from engine.data import Dataset, Inputs, Normalisation
from engine.data.reading import Manner, read_asked
from engine.data.row_arrays import of_objects
from engine.errors import CheckpointError, DataError, GradsumError, ModelError, SettingsError
from engine.export import Exported, tensors
from engine.nn.loss_options import SQUARED_ERROR
from engine.nn.model import Model, check_fits, model_from
from engine.nn.parameters import Vector
from engine.system.blas import one_blas_thread

Samples = Any  # an array, a picture (path, bytes or Pillow image), or a list of pictures


@dataclass(frozen=True, eq=False)
class Network:
    """Answers questions about samples as they are in a data set, not normalised.

    They are images, uint8 [N, H, W] or [N, H, W, C], or rows of features, numbers [N, D]. One picture, or a list of
    them, may also be the path of a file, its content in bytes, or a Pillow image: each becomes what it would have
    become in training, as `manner` says. A network that predicts values has no `classes`, and `values` is the
    normalisation of its targets. `columns` are the names of its features, `targets` those of what is to be said; both
    may be empty. Compiled programs are kept from one question to the next, and any number of threads may ask at a time.
    """

    model: Model
    parameters: Vector
    normalisation: Normalisation
    classes: tuple[str, ...]
    values: Normalisation | None = None
    columns: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    manner: Manner | None = None
    _predictor: Predictor = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_predictor", Predictor(self.model, self.normalisation))

    def logits(self, inputs: Samples) -> NDArray[np.float32]:
        """Return the outputs of the last layer, float32 [N, outputs]; DataError if samples do not suit the model."""
        return self._predictor.logits(self.parameters, self._checked(inputs))

    def predict(self, inputs: Samples) -> NDArray[np.int64] | NDArray[np.float64]:
        """Return the number of the most likely class of each sample, int64 [N].

        Where values are predicted, return these in the units of the training set, float64 [N, T].
        """
        outputs = self.logits(inputs)
        if self.values is not None:
            return self.restored(outputs)
        best: NDArray[np.int64] = np.argmax(outputs[:, : len(self.classes)], axis=1)
        return best

    def labels(self, inputs: Samples) -> list[str]:
        """Return the name of the most likely class of each sample; DataError where values are predicted."""
        if self.values is not None:
            raise DataError("the network was trained to predict values, not classes")
        best = self.logits(inputs)[:, : len(self.classes)].argmax(axis=1)
        return [self.classes[number] for number in best]

    def restored(self, outputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return outputs as values in the units of the training set; DataError if the network names classes."""
        if self.values is None:
            raise DataError("the network was trained to predict classes, not values")
        return self.values.undo(outputs)

    def probabilities(self, inputs: Samples, outputs: int | None = None) -> NDArray[np.float64]:
        """Return how probable each class is, float64 [N, outputs]; `outputs`: how many count, by default the classes.

        A model may have more outputs than classes, and a data set more classes than the network was trained on.
        """
        logits = self.logits(inputs)[:, : len(self.classes) if outputs is None else outputs]
        return probabilities_of(logits, self.model.loss)

    def evaluate(self, data: Dataset, part: str = "test") -> Validation:
        """Measure the network on a part of `data`: "test", "train", or "validation", the one that is chosen by.

        Raises ModelError if the data does not suit the model, DataError if `data` is not
        a data set or has no such part.
        """
        if not isinstance(data, Dataset):
            raise DataError(f"evaluate takes a data set, as gradsum.load_data returns it, got {type(data).__name__}")
        self.check_fits(data)
        asked = data.part(part)
        with one_blas_thread():
            evaluator = SplitEvaluator(self.model, self.normalisation, CHUNK, asked, self.values)
            evaluator.prepare(self.parameters)
            sums = evaluator.split_block((0, microbatches(len(asked), CHUNK)))
        return Scorer.of(asked, self.values).validation(0, sums)

    def save_onnx(self, path: Path | str) -> Exported:
        """Write an ONNX file that takes samples as `predict` does, and return what was written.

        Where onnxruntime is installed, its logits are compared with ours first. Raises SettingsError without the
        package onnx, ModelError for a layer that is not built in, StorageError if the file cannot be written.
        """
        try:
            from engine.export import onnx_file  # noqa: PLC0415  optional
        except ImportError as error:
            if error.name != "onnx":
                raise
            raise SettingsError(
                'ONNX files need the package onnx; install it with: pip install "gradsum[export]"'
            ) from None
        return onnx_file.save(self, Path(path))

    def save_torch(self, path: Path | str) -> Exported:
        """Write a PyTorch module, X.py, and its parameters, X.safetensors, of which `path` names one.

        Raises ModelError for a layer that is not built in, UsageError for a name that ends otherwise, StorageError
        if a file cannot be written.
        """
        return tensors.save_torch(self, Path(path))

    def save_safetensors(self, path: Path | str) -> Exported:
        """Write the parameters by their names ("c1.filter"); StorageError if the file cannot be written."""
        return tensors.save_safetensors(self, Path(path))

    def check_fits(self, data: Dataset) -> None:
        """Raise ModelError if the network cannot be asked about the samples of `data`."""
        if data.train.has_values != (self.values is not None):
            learned, there = ("classes", "values") if self.values is None else ("values", "classes")
            raise ModelError(f"the network was trained to predict {learned}, but the data has {there}")
        check_fits(self.model, data.shape, data.outputs, data.train.has_values)

    def _checked(self, inputs: Samples) -> Inputs:
        shape = self.model.shape
        if len(shape) == 1:
            return self._checked_features(_array(inputs))
        samples = read_asked(inputs, (shape[0], shape[1], shape[2]), self.manner)
        samples = _array(inputs) if samples is None else samples
        if samples.dtype != np.uint8:
            raise DataError(f"images must be uint8, as in a data set, got {samples.dtype}")
        if samples.ndim == 3:
            samples = samples[..., None]
        if samples.shape[1:] != self.model.shape:
            want = "x".join(map(str, self.model.shape))
            raise DataError(f"the model takes images [N, H, W, C] of {want}, got an array of shape {samples.shape}")
        return samples.view(np.uint8)

    def _checked_features(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        [features] = self.model.shape
        if rows.dtype.kind == "O" and rows.ndim == 2 and rows.shape[1] == features:
            rows = of_objects(rows, self.columns)
        if rows.dtype.kind not in "biuf" or rows.ndim != 2 or rows.shape[1] != features:
            raise DataError(
                f"the model takes rows of features, numbers [N, {features}], got {rows.dtype} {list(rows.shape)}"
            )
        with np.errstate(over="ignore"):
            samples = rows.astype(np.float32)
        if not np.isfinite(samples).all():
            row, column = (int(place[0]) for place in np.nonzero(~np.isfinite(samples)))
            called = self.columns[column] if self.columns else column
            raise DataError(f"feature {called} of row {row} is {rows[row, column]}: all must be finite, below 3.4e38")
        return samples


def _array(inputs: Samples) -> NDArray[Any]:
    try:
        return np.asarray(inputs)
    except ValueError:
        raise DataError("the samples are not all of one kind and size") from None


def probabilities_of(logits: NDArray[np.float32], loss: str) -> NDArray[np.float64]:
    """Return the softmax of logits [N, classes]; a model trained on squared error puts out probabilities itself."""
    wide = logits.astype(np.float64)
    if loss == SQUARED_ERROR:
        return np.clip(wide, 0, 1)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def load_network(path: Path | str, best: bool = False) -> Network:
    """Return the network in a checkpoint: a file, or a folder's newest. CheckpointError if there is none.

    `best`: of a folder, the one that did best in validation instead.
    """
    chosen = checkpoints.best(path) if best else Path(path)
    return network_from(checkpoints.load(chosen), chosen)


load = load_network  # the name of earlier versions


def network_from(checkpoint: checkpoints.Checkpoint, path: Path) -> Network:
    """Return the network in `checkpoint`, which was read from `path`."""
    try:
        model = model_from(checkpoint.run.model)
        normalisation = _normalisation(checkpoint.run.normalisation or {}, model.shape[-1])
        values = checkpoint.run.values
        classes, columns, targets = (getattr(checkpoint.run.data, name) for name in ("classes", "columns", "targets"))
        if values is None and not 1 <= len(classes) <= model.classes:
            raise ValueError(f"{str(classes)!r:.80} cannot be the names of {model.classes} classes")
        of_values = None if values is None else _normalisation(values, model.classes)
        layout = model.layout()
        parameters = layout.zeros()
        layout.fill(parameters, checkpoint.parameters)
        manner = Manner.stored(checkpoint.run.data.look(), normalisation) if len(model.shape) == 3 else None
        return Network(model, parameters, normalisation, classes, of_values, columns, targets, manner)
    except (KeyError, TypeError, ValueError, GradsumError) as error:
        raise CheckpointError(f"{path} does not hold a network of this version: {error}") from None


def _normalisation(given: Mapping[str, Any], size: int) -> Normalisation:
    normalisation = Normalisation(tuple(given["mean"]), tuple(given["deviation"]))
    if len(normalisation.mean) != size:
        raise ValueError(f"a normalisation of {len(normalisation.mean)} where there are {size}")
    return normalisation
