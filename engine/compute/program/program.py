"""A model compiled for a fixed number of samples."""

import numpy as np
from numpy.typing import NDArray

from engine.compute.program.buffers import Arena
from engine.compute.program.build import Builder
from engine.compute.program.fusion import steps_of
from engine.compute.program.inspection import OperationInfo, describe
from engine.compute.program.operations import Operation
from engine.compute.program.operations.loss import Loss
from engine.compute.program.sections import sections_of
from engine.compute.program.weights import Weights
from engine.kernels import Array, Backend
from engine.kernels.streams import Stream
from engine.nn.loss_options import LossOptions
from engine.nn.model import Model
from engine.nn.parameters import Layout, Vector

Targets = NDArray[np.int32] | Array


class Program:
    """Computes loss, gradient and outputs of a model for exactly `microbatch` samples. Made by `compile_model`.

    Every buffer is allocated here; a step allocates nothing. What a step computes depends on the parameters, the
    samples and the random stream alone, never on what was computed before. Not to be used by two threads at a time.
    """

    def __init__(
        self, model: Model, microbatch: int, backend: Backend, weights: Weights, options: LossOptions | None = None
    ) -> None:
        if microbatch < 1:
            raise ValueError(f"a micro-batch has at least 1 sample, got {microbatch}")
        self.model = model
        self.microbatch = microbatch
        self.weights = weights
        self.arena = Arena()
        self._inputs = self.arena.keep(microbatch, *model.shape)
        self._sections = sections_of(steps_of(model), microbatch)
        self._chunks, outputs = Builder(backend, weights, self.arena).build(self._sections, self._inputs)
        self.options = options or LossOptions()
        self._loss = Loss(model.loss, outputs, self.arena, backend, self.options)
        ordered = [chunk for section in reversed(self._chunks) for chunk in section]
        self._forward = [operation for section in self._chunks for chunk in section for operation in chunk]
        self._backward = [o for chunk in ordered for o in reversed(chunk) if o.y.gradient is not None]

    @property
    def layout(self) -> Layout:
        """Where each parameter lives in the vectors of parameters and gradients."""
        return self.weights.layout

    def prepare(self, parameters: Vector) -> None:
        """Take `parameters` for all that follows, until the next call; call again whenever the values changed.

        Programs compiled `like` one another share this: preparing one prepares all. ValueError for a wrong vector.
        """
        with np.errstate(all="ignore"):
            self.weights.prepare(parameters)

    def gradient(self, inputs: Array, targets: Targets, rng: Stream | None, out: Vector) -> tuple[float, int]:
        """Write the summed gradient of the loss of inputs [N, H, W, C] or [N, D] into `out`; N is the micro-batch.

        Returns the summed loss and how many answers are correct. Dropout draws from `rng`; without one it is off.
        Raises ValueError for wrong shapes, DataError for a label that the model has no output for.
        `targets` are labels, int32 [N], or values, float32 [N, outputs], of which no answer counts as correct.
        """
        self.weights.bind_gradient(out)
        with np.errstate(all="ignore"):  # a run that diverges is noticed by its loss
            result = self._run(inputs, targets, rng, training=True)
            for operation in self._backward:
                operation.backward()
            self.weights.clear_frozen()
        return result

    def evaluate(self, inputs: Array, targets: Targets) -> tuple[float, int]:
        """Return the summed loss of inputs [N, H, W, C] or [N, D] and how many answers are correct, dropout off.

        Raises as `gradient` does.
        """
        with np.errstate(all="ignore"):
            return self._run(inputs, targets, None, training=False)

    @property
    def outputs(self) -> Array:
        """The outputs of the last layer for what was computed last, [N, classes]; the next pass overwrites them."""
        return self._loss.outputs

    def logits(self, inputs: Array) -> Array:
        """Return the outputs of the last layer for inputs [N, H, W, C] or [N, D]: a copy, [N, classes]."""
        self._load(inputs)
        with np.errstate(all="ignore"):
            for operation in self._forward:
                operation.forward(None)
        return self._loss.outputs.copy()

    def first_nonfinite(self, inputs: Array, targets: Targets) -> str | None:
        """Return the name of the first layer whose output is not finite, or None if all is well.

        If all outputs are finite, of the last layer whose parameters' gradient is not. "inputs" if they are to blame.
        """
        self._load(inputs)
        with np.errstate(all="ignore"):
            for section in self._chunks:
                parts = [part for operation in section[0] for part in operation.parts()]
                bad = [position for chunk in section if (position := _first_bad(chunk)) is not None]
                if bad:
                    layers = parts[min(bad)].step.layers
                    return layers[0].name if layers else "inputs"
        return self._bad_gradient(inputs, targets)

    def _bad_gradient(self, inputs: Array, targets: Targets) -> str | None:
        out = self.layout.zeros()
        self.gradient(inputs, targets, None, out)
        bad = [name for name in self.layout.specs if not np.isfinite(self.layout.view(out, name)).all()]
        return bad[-1].rpartition(".")[0] if bad else None

    def operations(self) -> list[OperationInfo]:
        """Return what the program consists of, in order; moves between buffers are left out."""
        out = []
        for section, chunks in zip(self._sections, self._chunks, strict=True):
            parts = [part for operation in chunks[0] for part in operation.parts() if part.step.layers]
            chunk = len(section.chunks[0])
            out += [describe(o.step, chunk, o.x.gradient is not None, o.y.gradient is not None) for o in parts]
        return out

    def _run(self, inputs: Array, targets: Targets, rng: Stream | None, training: bool) -> tuple[float, int]:
        self._load(inputs)
        self._loss.take(targets)
        for operation in self._forward:
            operation.forward(rng)
        return self._loss.compute(training)

    def _load(self, inputs: Array) -> None:
        if not self.weights.ready:
            raise ValueError("call prepare(parameters) first")
        if inputs.shape != self._inputs.shape:
            raise ValueError(f"want inputs of shape {self._inputs.shape}, got {inputs.shape}")
        self._inputs[...] = inputs


def _first_bad(chunk: list[Operation]) -> int | None:
    """Run a chunk forward; return the place of the first of its parts whose output is not finite."""
    for operation in chunk:
        operation.forward(None)
    parts = [part for operation in chunk for part in operation.parts()]
    return next((n for n, part in enumerate(parts) if not np.isfinite(part.y.inside(part.y.value)).all()), None)
