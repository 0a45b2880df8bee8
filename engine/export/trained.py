"""What is exported, and what every exported file says of it."""

import json
from importlib.metadata import version
from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.data import Normalisation
from engine.errors import ModelError
from engine.nn.layers import Layer
from engine.nn.model import Model
from engine.nn.parameters import Vector

# What is JSON in metadata, and of which kind.
LISTS = ("shape", "classes", "columns", "targets")
TABLES = ("model", "normalisation", "values")


class Trained(Protocol):
    """A trained network: engine.network.Network is one."""

    @property
    def model(self) -> Model:
        """Layers, shape and loss."""

    @property
    def parameters(self) -> Vector:
        """The flat vector of the model's layout."""

    @property
    def normalisation(self) -> Normalisation:
        """That of pixels or features."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; empty where values are predicted."""

    @property
    def values(self) -> Normalisation | None:
        """The normalisation of the targets, where values are predicted."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of features, if they have any."""

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of what is predicted, if they have any."""

    def logits(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Return the outputs of the last layer."""


def arrays(network: Trained) -> dict[str, NDArray[np.float32]]:
    """Return the parameters by name, in public shape, each contiguous."""
    named = network.model.layout().public(network.parameters)
    return {name: np.ascontiguousarray(array, "<f4") for name, array in named}


def facts(network: Trained) -> dict[str, str]:
    """Return what stands in the metadata of a file: names, sizes, normalisation and the hash of the parameters."""
    plain: dict[str, Any] = {
        "model": network.model.describe(),
        "shape": network.model.shape,
        "classes": network.classes,
        "normalisation": vars_of(network.normalisation),
    }
    if network.values is not None:
        plain["values"] = vars_of(network.values)
    plain |= {name: names for name in ("columns", "targets") if (names := getattr(network, name))}
    return {
        "producer": f"gradsum {version('gradsum')}",
        "params_sha256": network.model.layout().sha256(network.parameters),
        **{name: json.dumps(value) for name, value in plain.items()},
    }


def vars_of(normalisation: Normalisation) -> dict[str, list[float]]:
    """Return a normalisation as plain data, as in a checkpoint."""
    return {"mean": list(normalisation.mean), "deviation": list(normalisation.deviation)}


def refuse(layer: Layer, what: str) -> NoReturn:
    """Raise ModelError for a layer that is none of the built-in ones."""
    raise ModelError(
        f"layer {layer.name}: {type(layer).__name__} is a layer of your own, which {what} cannot be written for; "
        "only networks of built-in layers are exported, and --to safetensors writes the parameters of any"
    )
