"""From parameters and samples to sums: what a worker does with its share, and the serial path with the whole batch."""

from collections.abc import Collection, Iterable
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from engine.compute import tree
from engine.compute.job import Job
from engine.compute.program import Program, Workspace, compile_model
from engine.compute.sums import Sums, add, bits_of
from engine.compute.tally import MAX_TALLIED, Tally
from engine.data import Dataset, Normalisation, Sampler, Split, Targets, augment, stream
from engine.data.augmentation import augmentation_of
from engine.errors import DataError
from engine.kernels import Array
from engine.kernels.streams import Stream
from engine.nn.layers import Dropout
from engine.nn.loss_options import LossOptions
from engine.nn.model import Model
from engine.nn.parameters import Vector

SAMPLES = 256  # computed together, at most: gradients are written once for all of them
MEMORY = 64 << 20  # bytes that they may take
NO_AUGMENTATION = "augment moves images and inverts some of their pixels; this data has features: leave it out"


class _Samples(NamedTuple):
    """Samples as a program takes them; `rngs`: a stream for each micro-batch, from which augmentation has drawn."""

    inputs: Array
    targets: Targets
    rngs: list[Stream]


class SplitEvaluator:
    """Evaluates blocks of a part of a data set with the parameters it was last given, dropout and augmentation off.

    `values` is the normalisation of targets that are values, None where they are labels; `options` and `frozen`
    (layers that are not trained) are for training.
    """

    def __init__(
        self,
        model: Model,
        normalisation: Normalisation,
        microbatch: int,
        split: Split,
        values: Normalisation | None,
        options: LossOptions | None = None,
        frozen: Collection[str] = (),
    ) -> None:
        self._model = model
        self._values = values
        self._normalise = normalisation.apply
        self._microbatch = microbatch
        self._split = split
        self._workspace = Workspace()
        self._main = compile_model(model, microbatch, options=options, frozen=frozen, workspace=self._workspace)
        self._at_once = at_once(self._main)
        self._programs = {microbatch: self._main}  # by number of samples

    def prepare(self, parameters: Vector, stays: bool = False) -> None:
        """Use these parameters (flat vector) until the next call; they are copied, unless they `stay` as they are."""
        self._main.prepare(parameters, stays)

    def split_block(self, block: tree.Block) -> Sums:
        """Return the sums over `block` of the part."""
        size = self._microbatch

        def leaf(part: tree.Block, _: int) -> Sums:
            inputs, targets = self._split.take(slice(part[0] * size, part[1] * size))
            program = self._program(len(targets))
            loss, correct = program.evaluate(self._normalise(inputs), self._target(targets))
            tallied = self._values is None and self._model.classes <= MAX_TALLIED
            return Sums(loss, correct, tally=Tally.of(program.outputs, targets.view(np.int32)) if tallied else None)

        return tree.evaluate_block(block, leaf, add, self._at_once)

    def _target(self, targets: Targets) -> Targets:
        """Return what outputs are compared with: labels as they are, values normalised."""
        if targets.dtype == np.int32:
            return targets
        if self._values is None:
            raise DataError("there are values to be predicted, but no normalisation of them")
        return self._values.apply(targets.view(np.float32))

    def _program(self, samples: int) -> Program:
        """Return a program for this many samples."""
        if samples not in self._programs:
            self._programs[samples] = compile_model(
                self._model, self._microbatch, like=self._main, samples=samples, workspace=self._workspace
            )
        return self._programs[samples]


class Evaluator(SplitEvaluator):
    """Evaluates blocks of a batch, or of the validation part, with the parameters it was last given."""

    def __init__(self, job: Job, data: Dataset) -> None:
        options = LossOptions(job.label_smoothing, job.class_weights)
        super().__init__(job.model, job.normalisation, job.microbatch, data.validating, job.values, options, job.frozen)
        self._job = job
        self._data = data
        self._augmentation = augmentation_of(job.augment)
        if self._augmentation and data.train.has_features:
            raise DataError(NO_AUGMENTATION)
        self._sampler = Sampler(len(data.train), job.batch_size, job.seed)
        self._layout = job.model.layout()
        dropout = any(isinstance(layer, Dropout) for layer in job.model.every_layer())
        self._random = dropout or self._augmentation is not None
        self._scratch: list[Vector] = []
        self._ahead: tuple[tuple[int, tree.Block], _Samples] | None = None

    def prove(self, nonce: int) -> str:
        """Return a digest of what this process makes of parts of the job: of another one, it is another one.

        `nonce`, from 0 to 2^53, gives the parameters. The parts are a micro-batch of each length that there is, of the
        first epoch and of the validating part.
        """
        parameters, gradient = self._layout.zeros(), self._layout.zeros()
        self._layout.initialise(parameters, nonce)
        self.prepare(parameters)
        found = sha256()
        for step, number in self._of_each_length((step, self.batch_length(step)) for step in self._ends()):
            found.update(bits_of(self.train_block(step, (number, number + 1), gradient)).encode())
        for _, number in self._of_each_length([(0, len(self._split))]):
            found.update(bits_of(self.split_block((number, number + 1))).encode())
        return found.hexdigest()

    def _ends(self) -> tuple[int, int]:
        """Return the first and the last step of the first epoch; only the batch of the last one may be smaller."""
        return 1, self._sampler.steps_per_epoch

    def _of_each_length(self, batches: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
        """Return a micro-batch of each length in batches (number, samples), as number of the batch and in the batch."""
        size, found = self._microbatch, dict[int, tuple[int, int]]()
        for batch, samples in batches:
            for number in (0, tree.microbatches(samples, size) - 1):
                found.setdefault(min(size, samples - number * size), (batch, number))
        return found.values()

    def batch_length(self, step: int) -> int:
        """Return how many samples the batch of `step` has."""
        return len(self._sampler.indices(step))

    def train_block(self, step: int, block: tree.Block, out: Vector) -> Sums:
        """Return the sums over `block` of the batch of `step`, its gradient in `out`."""

        def leaf(part: tree.Block, depth: int) -> Sums:
            samples = self._samples(step, part)
            target = self._buffer(depth - 1) if depth else out
            program = self._program(len(samples.inputs))
            loss, correct = program.gradient(samples.inputs, samples.targets, samples.rngs, target)
            return Sums(loss, correct, target)

        return tree.evaluate_block(block, leaf, add, self._at_once)

    def fetch(self, step: int, block: tree.Block) -> None:
        """Get ready the samples that `train_block` of the same arguments begins with, where there is time for it.

        A guess: if something else is evaluated next, only the time is lost.
        """
        if block[1] <= tree.microbatches(self.batch_length(step), self._microbatch):
            part = tree.first_part(block, self._at_once)
            self._ahead = (step, part), self._samples(step, part)

    def _samples(self, step: int, part: tree.Block) -> _Samples:
        """Return the samples of some micro-batches of the batch of `step`, as the program wants them."""
        (ahead, samples), self._ahead = self._ahead or (None, None), None
        if samples and ahead == (step, part):
            return samples
        chosen = self._sampler.indices(step)[part[0] * self._microbatch : part[1] * self._microbatch]
        rngs = [self._stream(step, number) for number in range(*part)] if self._random else []
        inputs, targets = self._data.train.take(chosen)
        if self._augmentation:
            for number, rng in enumerate(rngs):
                some = slice(number * self._microbatch, (number + 1) * self._microbatch)
                augment(inputs[some].view(np.uint8), rng, self._augmentation)
        return _Samples(self._normalise(inputs), self._target(targets), rngs)

    def first_nonfinite(self, step: int) -> str | None:
        """Return the name of the first layer whose output is not finite for the batch of `step`, if there is one."""
        indices, size = self._sampler.indices(step), self._job.microbatch
        for start in range(0, len(indices), size):
            chosen = indices[start : start + size]
            inputs, targets = self._data.train.take(chosen)
            layer = self._program(len(chosen)).first_nonfinite(self._normalise(inputs), self._target(targets))
            if layer:
                return layer
        return None

    def _stream(self, step: int, number: int) -> Stream:
        return stream(self._job.seed, step, number, self._main.weights.backend.philox)

    def _buffer(self, number: int) -> Vector:
        while len(self._scratch) <= number:
            self._scratch.append(self._layout.zeros())
        return self._scratch[number]


def at_once(program: Program) -> int:
    """Return how many micro-batches are best computed together: a power of two that changes no bit.

    One where the backend has bits of its own: BLAS's depend on how many columns a product has.
    """
    if program.weights.backend.own_bits:
        return 1
    count, size = 1, program.samples
    while 2 * count * size <= SAMPLES and 2 * count * size * program.footprint <= MEMORY:
        count *= 2
    return count
