"""A network that was trained elsewhere: a safetensors file becomes a checkpoint, if it has all that its model needs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.checkpoint import Checkpoint, DataState, RunState, params_sha256
from engine.checkpoint.tensors import header_of, kinds_of, tensors_of
from engine.errors import CheckpointError, SettingsError, UsageError
from engine.export.torch_names import own_names
from engine.export.trained import LISTS, TABLES
from engine.nn.built_in import load_model
from engine.nn.loss_options import SQUARED_ERROR
from engine.nn.model import Model, model_from
from engine.nn.parameters import FLOAT_MAX, FLOAT_MIN, Layout

SHAPE, CLASSES = (28, 28, 1), 26  # where nothing else says it, as for `gradsum inspect`
LARGEST_BYTE = 255.0
SHOWN = 8  # names in a list


@dataclass(frozen=True)
class ImportOptions:
    """The options of `gradsum import`; None and () stand for options that were not given, which the file may hold.

    `model` is the path of a TOML file or the name of a built-in model. `mean` and `deviation` are those of each
    channel, of pixels from 0 to 1, or of each feature; a single one is that of all.
    """

    model: str | None = None
    shape: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()


def import_file(path: Path, asked: ImportOptions) -> Checkpoint:
    """Return a checkpoint, of step 0, of the parameters in a safetensors file.

    Arrays may have our names or PyTorch's. What `asked` leaves open is read from the metadata of a file that
    `gradsum export` wrote, or else is as in PyTorch: bytes are divided by 255, and classes have numbers.
    Raises CheckpointError if the file cannot be read or its arrays are not those of the model, with a list of what
    does not fit; ModelError for a model that cannot be, SettingsError for a normalisation, classes or a shape
    that cannot be, and UsageError if no model is given.
    """
    said = _said(path)
    model = _model(path, asked, said)
    if asked.shape and asked.shape != model.shape:
        raise SettingsError(f"--shape {_words(asked.shape)}: the model says {_words(model.shape)}; leave --shape out")
    arrays = _fitting(path, model.layout())
    classes = asked.classes or tuple(said.get("classes", ()))
    values = None if asked.classes else said.get("values")
    if not classes and values is None and model.loss == SQUARED_ERROR:
        values = {"mean": [0.0] * model.classes, "deviation": [1.0] * model.classes}
    if not classes and values is None:
        classes = tuple(str(number) for number in range(model.classes))
    if len(classes) > model.classes or (asked.classes and len(classes) < model.classes):
        named = "1 class is" if len(classes) == 1 else f"{len(classes)} classes are"
        raise SettingsError(f"{named} named, but the model has {model.classes} outputs: name all of them")
    columns, targets = (tuple(said.get(name, ())) for name in ("columns", "targets"))
    run = RunState(
        uuid=params_sha256(arrays)[:32],  # importing it twice gives one checkpoint
        name=path.stem,
        model=model.describe(),
        model_name=asked.model,
        data=DataState(classes=classes, columns=columns, targets=targets),
        normalisation=_normalisation(model, asked, said),
        values=values,
    )
    return Checkpoint(0, arrays, run=run)


def _said(path: Path) -> dict[str, Any]:
    """Return what the file's metadata says of the network; nothing unless gradsum exported it."""
    header = header_of(path)
    if header.get("gradsum") == "checkpoint":
        raise CheckpointError(f"{path} is a checkpoint already: use it as it is")
    if not header.get("producer", "").startswith("gradsum "):
        return {}
    said = {}
    for name in header.keys() & {*LISTS, *TABLES}:
        try:
            said[name] = json.loads(header[name])
        except (ValueError, RecursionError):
            said[name] = None
        if not isinstance(said[name], list if name in LISTS else dict):
            raise CheckpointError(f"{path} is damaged: its metadata has {name} {header[name]!r:.60}")
    return said


def _model(path: Path, asked: ImportOptions, said: Mapping[str, Any]) -> Model:
    if asked.model is not None:
        shape = asked.shape or tuple(said.get("shape", SHAPE))
        outputs = len(asked.classes) or len(said.get("classes", ())) or CLASSES
        return load_model(asked.model, shape, outputs, "values" in said and not asked.classes)
    if "model" not in said:
        raise UsageError(f"{path} has parameters, but does not say of which model: also give --model")
    return model_from(said["model"])


def _fitting(path: Path, layout: Layout) -> dict[str, NDArray[np.float32]]:
    """Return the arrays by the model's names; CheckpointError, which lists what does not fit, unless all do."""
    there, kinds = tensors_of(path), kinds_of(path)
    names = own_names(layout.specs, kinds)
    missing = [f"{name} {spec.shape}" for name, spec in layout.specs.items() if name not in names]
    found = {name: there[names[name]] for name in layout.specs if names.get(name) in there}
    kind = [f"{there} ({kinds[there]})" for name, there in names.items() if name not in found]
    shapes = [
        f"{names[name]} {array.shape} instead of {layout.specs[name].shape}"
        for name, array in found.items()
        if array.shape != layout.specs[name].shape
    ]
    infinite = [names[name] for name, array in found.items() if not np.isfinite(array).all()]
    rest = [name for name in kinds if name not in names.values()]
    wrong = {
        "missing": missing,
        "of another shape": shapes,
        "of a type that is not read": kind,
        "not finite": infinite,
        "not in the model": rest,
    }
    if any(wrong.values()):
        lists = "; ".join(f"{what}: {_listed(some)}" for what, some in wrong.items() if some)
        raise CheckpointError(f"{path} does not fit the model: {lists}")
    return found


def _normalisation(model: Model, asked: ImportOptions, said: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return the normalisation of bytes or features as plain data; SettingsError for one that cannot be."""
    if not asked.mean and not asked.deviation and "normalisation" in said:
        given: dict[str, list[float]] = said["normalisation"]
        return given
    size, unit = model.shape[-1], LARGEST_BYTE if len(model.shape) == 3 else 1.0
    mean, deviation = asked.mean or (0.0,), asked.deviation or (1.0,)
    for name, numbers, least in (("mean", mean, -np.inf), ("deviation", deviation, FLOAT_MIN)):
        if len(numbers) not in (1, size):
            raise SettingsError(f"--{name} must be one number, or {size} with commas between, got {len(numbers)}")
        if not all(abs(number) <= FLOAT_MAX for number in numbers) or min(numbers) < least:  # nan is not
            above = f" and at least {FLOAT_MIN:.3g}" if least > 0 else ""
            raise SettingsError(f"--{name} must be at most {FLOAT_MAX:.3g}{above}, the range of float32, got {numbers}")
        if unit != 1 and max(numbers) > 1:
            raise SettingsError(f"--{name} is that of pixels from 0 to 1, got {max(numbers):g}: divide it by 255")
    return {
        "mean": [unit * number for number in mean * (size // len(mean))],
        "deviation": [unit * number for number in deviation * (size // len(deviation))],
    }


def _words(shape: tuple[int, ...]) -> str:
    return " ".join(map(str, shape))


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
