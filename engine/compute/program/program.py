"""A model compiled for a fixed number of samples."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.compute.program.buffers import Arena, Workspace
from engine.compute.program.build import Builder
from engine.compute.program.fusion import steps_of
from engine.compute.program.inspection import OperationInfo, describe
from engine.compute.program.operations import Operation
from engine.compute.program.operations.loss import Loss
from engine.compute.program.weights import Weights
from engine.kernels import Array
from engine.kernels.streams import Stream
from engine.nn.loss_options import LossOptions
from engine.nn.model import Model
from engine.nn.parameters import Layout, Vector

Targets = NDArray[np.int32] | Array


class Program:
    """Computes loss, gradient and outputs of a model for exactly `samples` samples. Made by `compile_model`.

    They are micro-batches of `microbatch`, the last of which may be smaller: each has sums of its own, and these are
    added up in pairs, as the tree over the micro-batches of a batch does.

    Every buffer is allocated here; a step allocates nothing. What a step computes depends on the parameters, the
    samples and the random stream alone, never on what was computed before. Not to be used by two threads at a time.
    """

    def __init__(
        self,
        model: Model,
        samples: int,
        microbatch: int,
        weights: Weights,
        options: LossOptions | None = None,
        workspace: Workspace | None = None,
    ) -> None:
        if min(samples, microbatch) < 1:
            raise ValueError(f"a micro-batch has at least 1 sample, got {min(samples, microbatch)}")
        self.model = model
        self.weights = weights
        self.arena = Arena(workspace or Workspace())
        self._inputs = self.arena.keep(samples, *model.shape)
        self._steps = steps_of(model)
        builder = Builder(weights.backend, weights, self.arena, microbatch)
        self._forward, outputs = builder.build(self._steps, self._inputs)
        self.options = options or LossOptions()
        self._loss = Loss(model.loss, outputs, self.arena, weights.backend, microbatch, self.options)
        self._backward = [o for o in reversed(self._forward) if o.y.gradient is not None]

    @property
    def layout(self) -> Layout:
        """Where each parameter lives in the vectors of parameters and gradients."""
        return self.weights.layout

    @property
    def samples(self) -> int:
        """How many samples the program computes."""
        return len(self._inputs)

    @property
    def footprint(self) -> int:
        """Roughly how many bytes a sample takes."""
        return sum(step.operation.footprint(step) for step in self._steps)

    def prepare(self, parameters: Vector, stays: bool = False) -> None:
        """Take `parameters` for all that follows, until the next call; call again whenever the values changed.

        They are copied, unless the vector `stays` as it is meanwhile.
        Programs compiled `like` one another share this: preparing one prepares all. ValueError for a wrong vector.
        """
        with np.errstate(all="ignore"):
            self.weights.prepare(parameters, stays)

    def gradient(self, inputs: Array, targets: Targets, rngs: Sequence[Stream], out: Vector) -> tuple[float, int]:
        """Write the summed gradient of the loss of inputs [N, H, W, C] or [N, D] into `out`.

        Returns the summed loss and how many answers are correct. Dropout draws from `rngs`, one for each micro-batch;
        without any it is off.
        Raises ValueError for wrong shapes, DataError for a label that the model has no output for.
        `targets` are labels, int32 [N], or values, float32 [N, outputs], of which no answer counts as correct.
        """
        self.weights.bind_gradient(out)
        with np.errstate(all="ignore"):  # a run that diverges is noticed by its loss
            result = self._run(inputs, targets, rngs, training=True)
            for operation in self._backward:
                operation.backward()
            self.weights.clear_frozen()
        return result

    def evaluate(self, inputs: Array, targets: Targets) -> tuple[float, int]:
        """Return the summed loss of inputs [N, H, W, C] or [N, D] and how many answers are correct, dropout off.

        Raises as `gradient` does.
        """
        with np.errstate(all="ignore"):
            return self._run(inputs, targets, (), training=False)

    @property
    def outputs(self) -> Array:
        """The outputs of the last layer for what was computed last, [N, classes]; the next pass overwrites them."""
        return self._loss.outputs

    def logits(self, inputs: Array) -> Array:
        """Return the outputs of the last layer for inputs [N, H, W, C] or [N, D]: a copy, [N, classes]."""
        self._load(inputs)
        with np.errstate(all="ignore"):
            for operation in self._forward:
                operation.forward(())
        return self._loss.outputs.copy()

    def first_nonfinite(self, inputs: Array, targets: Targets) -> str | None:
        """Return the name of the first layer whose output is not finite, or None if all is well.

        If all outputs are finite, of the last layer whose parameters' gradient is not. "inputs" if they are to blame.
        """
        self._load(inputs)
        with np.errstate(all="ignore"):
            for operation in self._forward:
                operation.forward(())
            for part in self._parts():
                if not np.isfinite(part.y.inside(part.y.value)).all():
                    return part.step.layers[0].name if part.step.layers else "inputs"
        return self._bad_gradient(inputs, targets)

    def _bad_gradient(self, inputs: Array, targets: Targets) -> str | None:
        out = self.layout.zeros()
        self.gradient(inputs, targets, (), out)
        bad = [name for name in self.layout.specs if not np.isfinite(self.layout.view(out, name)).all()]
        return bad[-1].rpartition(".")[0] if bad else None

    def operations(self) -> list[OperationInfo]:
        """Return what the program consists of, in order; moves between buffers are left out."""
        parts = {id(part.step): part for part in self._parts() if part.step.layers}.values()
        return [
            describe(part.step, self.samples, part.x.gradient is not None, part.y.gradient is not None)
            for part in parts
        ]

    def _parts(self) -> list[Operation]:
        return [part for operation in self._forward for part in operation.parts()]

    def _run(self, inputs: Array, targets: Targets, rngs: Sequence[Stream], training: bool) -> tuple[float, int]:
        self._load(inputs)
        self._loss.take(targets)
        for operation in self._forward:
            operation.forward(rngs)
        return self._loss.compute(training)

    def _load(self, inputs: Array) -> None:
        if not self.weights.ready:
            raise ValueError("call prepare(parameters) first")
        if inputs.shape != self._inputs.shape:
            raise ValueError(f"want inputs of shape {self._inputs.shape}, got {inputs.shape}")
        self._inputs[...] = inputs
