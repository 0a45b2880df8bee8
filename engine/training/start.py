"""What a new run begins with: the parameters of another network, as far as they fit."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import checkpoint as checkpoints
from engine.checkpoint.tensors import is_ours, tensors_of
from engine.data import Dataset
from engine.errors import CheckpointError, ModelError
from engine.export.torch_names import own_names
from engine.nn.layers import Dense
from engine.nn.model import Model, model_from
from engine.nn.parameters import Layout, Vector

SHOWN = 6  # names in a list


@dataclass(frozen=True)
class Start:
    """The arrays of another network, by name in public shape; `model` describes it, None if the file does not say."""

    path: Path
    arrays: Mapping[str, NDArray[np.float32]]
    model: Mapping[str, Any] | None = None
    model_name: str | None = None

    def model_for(self, data: Dataset) -> Model:
        """Return the network's own model, its last layer made for the outputs that `data` needs.

        ModelError if the file does not describe it, or if its last layer is not a Dense.
        """
        if self.model is None:
            raise ModelError(f"{self.path} has parameters, but does not say of which model: also give --model")
        model = model_from(self.model)
        if model.classes == data.outputs:
            return model
        *before, last = model.layers
        if not isinstance(last, Dense):
            raise ModelError(f"the model in {self.path} has {model.classes} outputs and does not end in a Dense layer")
        return replace(model, layers=(*before, replace(last, features=data.outputs)))

    def match(self, layout: Layout) -> "Match":
        """Return which arrays fit; CheckpointError if none does."""
        taken: dict[str, str] = {}
        names = own_names(layout.specs, self.arrays)
        for name, spec in layout.specs.items():
            there = names.get(name)
            if there is not None and self.arrays[there].shape == spec.shape:
                taken[name] = there
        if not taken:
            raise CheckpointError(
                f"no array in {self.path} has the name and shape of one of the model's, such as "
                f"{next(iter(layout.specs))} {next(iter(layout.specs.values())).shape}; it has {_listed(self.arrays)}"
            )
        new = [name for name in layout.specs if name not in taken]
        return Match(self, taken, new, [name for name in self.arrays if name not in taken.values()])


@dataclass(frozen=True)
class Match:
    """Which arrays a run takes over: the name in the file by the model's name; the `new` ones, and what is `unused`."""

    start: Start
    taken: Mapping[str, str]
    new: list[str]
    unused: list[str]

    def fill(self, layout: Layout, parameters: Vector) -> None:
        """Copy what is taken over into `parameters`."""
        for name, there in self.taken.items():
            layout.view(parameters, name)[...] = layout.specs[name].to_storage(self.start.arrays[there])

    def text(self) -> str:
        """Say what matched."""
        whole = len(self.taken) + len(self.new)
        text = f"begins with {len(self.taken)} of {whole} arrays of {self.start.path}"
        text += f"; new: {_listed(self.new)}" if self.new else ""
        return text + (f"; not used: {_listed(self.unused)}" if self.unused else "")


def read_start(path: Path) -> Start:
    """Read a checkpoint, the newest one in a folder, or any safetensors file; CheckpointError if it cannot be read."""
    if not is_ours(path):
        return Start(path, tensors_of(path))
    found = checkpoints.load(path)
    return Start(path, found.parameters, found.run.model, found.run.model_name)


def _listed(names: Any) -> str:
    some = list(names)
    more = f" and {len(some) - SHOWN} more" if len(some) > SHOWN else ""
    return ", ".join(some[:SHOWN]) + more if some else "none"
