"""A job: all a worker must know to evaluate its share, as plain data that crosses the wire."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from engine.compute.tally import MAX_TALLIED
from engine.data import Normalisation
from engine.data.augmentation import augmentation_of
from engine.errors import GradsumError, ProtocolError
from engine.nn.frozen import layer_of
from engine.nn.model import Model, model_from


@dataclass(frozen=True)
class Job:
    """One run as a worker sees it. `data` is the digest of the data set, `validation` what is held out of its training.

    `normalisation` is that of the inputs; `values` that of the targets, None where these are labels. `augment` is as
    `augmentation_of` takes it, `frozen` are the layers that are not trained. `class_weights` is
    what the loss of each output's samples counts, empty where that is 1 each.
    """

    model: Model
    data: str
    normalisation: Normalisation
    batch_size: int
    microbatch: int
    seed: int
    augment: bool | str
    values: Normalisation | None = None
    validation: float = 0.0
    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] = ()
    frozen: tuple[str, ...] = ()

    @property
    def tallied(self) -> int:
        """How many outputs the tally of a validation has; 0: there is none."""
        return self.model.classes if self.values is None and self.model.classes <= MAX_TALLIED else 0

    def describe(self) -> dict[str, Any]:
        """Return plain data from which `job_from` rebuilds the job."""
        return asdict(self) | {"model": self.model.describe()}


def job_from(description: object) -> Job:
    """Rebuild a job from `Job.describe()`; ProtocolError when that is not one."""
    try:
        return _read(description)
    except RecursionError:  # in showing what was wrong
        raise ProtocolError("the job is nested too deeply") from None


def _read(description: object) -> Job:
    kinds = {"data": str, "batch_size": int, "microbatch": int, "seed": int}
    kinds |= {"validation": float, "label_smoothing": float}
    others = ("model", "normalisation", "values", "class_weights", "augment", "frozen")
    if not isinstance(description, dict) or description.keys() != {*kinds, *others}:
        raise ProtocolError("a job is a table with model, normalisation, " + ", ".join((*kinds, *others[2:])))
    for name, kind in kinds.items():
        if type(description[name]) is not kind:
            raise ProtocolError(f"job.{name} must be {kind.__name__}, got {description[name]!r}")
    if min(description["batch_size"], description["microbatch"]) < 1 or description["seed"] < 0:
        raise ProtocolError("job.batch_size and job.microbatch must be at least 1, job.seed at least 0")
    for name in ("validation", "label_smoothing"):
        if not 0 <= description[name] < 1:
            raise ProtocolError(f"job.{name} must be at least 0 and below 1, got {description[name]}")
    inputs, values = description["normalisation"], description["values"]
    try:
        rest: dict[str, Any] = {
            "normalisation": _normalisation(inputs),
            "values": None if values is None else _normalisation(values),
        }
        model = model_from(description["model"])
        if not isinstance(description["augment"], bool | str):
            raise ValueError("augment must be true, false or text")
        augmentation_of(description["augment"])
        weights = _class_weights(description["class_weights"], model.classes)
        rest["frozen"] = _frozen(description["frozen"], model)
        return Job(**description | {"model": model, "class_weights": weights} | rest)
    except (GradsumError, TypeError, KeyError, ValueError) as error:
        raise ProtocolError(f"the job cannot be understood: {error}") from None


def _class_weights(given: Any, outputs: int) -> tuple[float, ...]:
    weights = tuple(given)
    if len(weights) not in (0, outputs) or not all(type(w) is float and 0 <= w < math.inf for w in weights):
        raise ValueError(f"class_weights must be {outputs} finite numbers of at least 0, or none")
    return weights


def _frozen(given: Any, model: Model) -> tuple[str, ...]:
    layers = {layer_of(name) for name in model.layout().specs}
    if not isinstance(given, list | tuple) or not all(isinstance(name, str) and name in layers for name in given):
        raise ValueError("frozen must be names of layers with parameters")
    return tuple(given)


def _normalisation(given: Any) -> Normalisation:
    return Normalisation(tuple(given["mean"]), tuple(given["deviation"]))
