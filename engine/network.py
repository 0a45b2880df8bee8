"""A trained network: a model with its parameters and the normalisation of its training set."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine import checkpoint as checkpoints
from engine.compute.evaluator import TestSetEvaluator
from engine.compute.program import compile_model
from engine.compute.tree import microbatches
from engine.compute.validation import Validation
from engine.data import Dataset, Normalisation
from engine.errors import CheckpointError, DataError, GradsumError
from engine.nn.model import CROSS_ENTROPY, Model, check_fits, model_from
from engine.nn.parameters import Vector
from engine.system.blas import one_blas_thread

CHUNK = 16  # images evaluated at a time


@dataclass(frozen=True)
class Network:
    """Answers questions about images: uint8 [N, H, W] or [N, H, W, C], as they are in a data set, not normalised."""

    model: Model
    parameters: Vector
    normalisation: Normalisation
    classes: tuple[str, ...]

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the outputs of the last layer, float32 [N, classes]; DataError if the images do not suit the model."""
        images = self._checked(images)
        out = np.empty((len(images), self.model.classes), np.float32)
        padded = np.zeros((CHUNK, *self.model.shape), np.uint8)
        with one_blas_thread():
            program = compile_model(self.model, CHUNK)
            program.prepare(self.parameters)
            for start in range(0, len(images), CHUNK):
                some = images[start : start + CHUNK]
                padded[: len(some)] = some
                out[start : start + len(some)] = program.logits(self.normalisation.apply(padded))[: len(some)]
        return out

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the number of the most likely class of each image, int64 [N]."""
        best: NDArray[np.int64] = np.argmax(self.logits(images), axis=1)
        return best

    def probabilities(self, images: NDArray[np.uint8], outputs: int | None = None) -> NDArray[np.float64]:
        """Return how probable each class is, float64 [N, outputs]; `outputs`: how many count, by default the classes.

        A model may have more outputs than classes, and a data set more classes than the network was trained on.
        """
        logits = self.logits(images)[:, : len(self.classes) if outputs is None else outputs]
        return probabilities_of(logits, self.model.loss)

    def evaluate(self, data: Dataset) -> Validation:
        """Measure the network on the test part of `data`; ModelError if the data does not suit the model."""
        check_fits(self.model, data.shape, len(data.classes))
        with one_blas_thread():
            evaluator = TestSetEvaluator(self.model, self.normalisation, CHUNK, data.test)
            evaluator.prepare(self.parameters)
            sums = evaluator.test_block((0, microbatches(len(data.test), CHUNK)))
        return Validation(0, sums.correct, len(data.test), sums.loss / len(data.test))

    def _checked(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        images = np.asarray(images)
        if images.dtype != np.uint8:
            raise DataError(f"images must be uint8, as in a data set, got {images.dtype}")
        if images.ndim == 3:
            images = images[..., None]
        if images.shape[1:] != self.model.shape:
            want = "x".join(map(str, self.model.shape))
            raise DataError(f"the model takes images [N, H, W, C] of {want}, got an array of shape {images.shape}")
        return images


def probabilities_of(logits: NDArray[np.float32], loss: str) -> NDArray[np.float64]:
    """Return the softmax of logits [N, classes]; a model trained on squared error puts out probabilities itself."""
    wide = logits.astype(np.float64)
    if loss != CROSS_ENTROPY:
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
        given = checkpoint.run.normalisation or {}
        normalisation = Normalisation(tuple(given["mean"]), tuple(given["deviation"]))
        if len(normalisation.mean) != model.shape[2]:
            raise ValueError(f"a normalisation of {len(normalisation.mean)} channels for images of {model.shape[2]}")
        classes = checkpoint.run.data.classes
        if not 1 <= len(classes) <= model.classes:
            raise ValueError(f"{str(classes)!r:.80} cannot be the names of {model.classes} classes")
        layout = model.layout()
        parameters = layout.zeros()
        layout.fill(parameters, checkpoint.parameters)
        return Network(model, parameters, normalisation, classes)
    except (KeyError, TypeError, ValueError, GradsumError) as error:
        raise CheckpointError(f"{path} does not hold a network of this version: {error}") from None
