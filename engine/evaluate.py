"""From parameters and samples to sums: what a worker does with its share, and the serial path with the whole batch."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from engine import plan
from engine.data import Dataset, Sampler, augment, stream
from engine.job import Job
from engine.nn.layers import Dropout
from engine.nn.parameters import Vector
from engine.program import Program, compile_model


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Sums:
    """Totals over samples: the loss (float64), correct answers, and in training the gradient."""

    loss: float
    correct: int
    gradient: Vector | None = None


def add(a: Sums, b: Sums) -> Sums:
    """Add `b` to `a`; the gradient is added in place, into `a`'s."""
    if a.gradient is not None and b.gradient is not None:
        with np.errstate(all="ignore"):  # what is no longer finite is noticed in the whole sum
            np.add(a.gradient, b.gradient, out=a.gradient)
    return Sums(a.loss + b.loss, a.correct + b.correct, a.gradient)


class Evaluator:
    """Evaluates blocks of a batch, or of the test set, with the parameters it was last given."""

    def __init__(self, job: Job, data: Dataset) -> None:
        self._job = job
        self._data = data
        self._sampler = Sampler(len(data.train), job.batch_size, job.seed)
        self._layout = job.model.layout()
        self._random = job.augment or any(isinstance(layer, Dropout) for layer in job.model.layers)
        self._normalise = job.normalisation.apply
        self._main = compile_model(job.model, job.microbatch)
        self._programs = {job.microbatch: self._main}  # by number of samples; the last micro-batch may be smaller
        self._scratch: list[Vector] = []

    def prepare(self, parameters: Vector) -> None:
        """Use these parameters (flat vector, copied) until the next call."""
        self._main.prepare(parameters)

    def rehearse(self) -> None:
        """Evaluate one micro-batch for nothing, so that kernels are loaded before the first step."""
        self.prepare(self._layout.zeros())
        samples = min(self._job.microbatch, len(self._data.train))
        images = self._normalise(self._data.train.images[:samples])
        self._program(samples).gradient(images, self._data.train.labels[:samples], None, self._layout.zeros())

    def batch_length(self, step: int) -> int:
        """Return how many samples the batch of `step` has."""
        return len(self._sampler.indices(step))

    def train_block(self, step: int, block: plan.Block, out: Vector) -> Sums:
        """Return the sums over `block` of the batch of `step`, its gradient in `out`."""
        indices = self._sampler.indices(step)

        def leaf(number: int, depth: int) -> Sums:
            chosen = indices[number * self._job.microbatch : (number + 1) * self._job.microbatch]
            rng = stream(self._job.seed, step, number) if self._random else None
            images, labels = self._data.train.images[chosen], self._data.train.labels[chosen]
            if self._job.augment and rng:
                augment(images, rng)
            target = self._buffer(depth - 1) if depth else out
            program = self._program(len(chosen))
            loss, correct = program.gradient(self._normalise(images), labels, rng, target)
            return Sums(loss, correct, target)

        return plan.evaluate_block(block, leaf, add)

    def test_block(self, block: plan.Block) -> Sums:
        """Return the sums over `block` of the test set, dropout and augmentation off."""
        test, size = self._data.test, self._job.microbatch

        def leaf(number: int, _: int) -> Sums:
            chosen = slice(number * size, (number + 1) * size)
            images, labels = test.images[chosen], test.labels[chosen]
            return Sums(*self._program(len(labels)).evaluate(self._normalise(images), labels))

        return plan.evaluate_block(block, leaf, add)

    def first_nonfinite(self, step: int) -> str | None:
        """Return the name of the first layer whose output is not finite for the batch of `step`, if there is one."""
        indices, size = self._sampler.indices(step), self._job.microbatch
        for start in range(0, len(indices), size):
            chosen = indices[start : start + size]
            images, labels = self._data.train.images[chosen], self._data.train.labels[chosen]
            layer = self._program(len(chosen)).first_nonfinite(self._normalise(images), labels)
            if layer:
                return layer
        return None

    def _program(self, samples: int) -> Program:
        """Return a program for this many samples."""
        if samples not in self._programs:
            self._programs[samples] = compile_model(self._job.model, samples, like=self._main)
        return self._programs[samples]

    def _buffer(self, number: int) -> Vector:
        while len(self._scratch) <= number:
            self._scratch.append(self._layout.zeros())
        return self._scratch[number]


@dataclass(frozen=True)
class WorkerReport:
    """What one worker has done: `images` evaluated in training, `seconds` busy, `cpu` processor seconds used."""

    name: str
    host: str
    pid: int
    images: int
    seconds: float
    cpu: float


@dataclass
class Timing:
    """Where the time of training rounds went, in seconds since the start.

    `compute`: the longest that a worker computed in each round; `reduce`: adding up in the coordinator; `wire`: all the
    rest, which is sending, receiving and waiting for the slowest.
    """

    compute: float = 0.0
    reduce: float = 0.0
    wire: float = 0.0

    def add(self, whole: float, compute: float, reduce: float) -> None:
        """Add a round that took `whole` seconds."""
        self.compute += compute
        self.reduce += reduce
        self.wire += max(0.0, whole - compute - reduce)


class InterruptedRoundError(Exception):
    """The run is to stop, and nobody is left who could finish the round."""


class Source(Protocol):
    """Where the training loop gets its sums from.

    `validate(step)` and `gradient(step + 1)` must be given the same parameters, those after `step`: they travel once.
    Both raise InterruptedRoundError.
    """

    timing: Timing

    def gradient(
        self,
        step: int,
        parameters: Vector,
        out: Vector,
        meanwhile: Callable[[], None] = nothing,
        thorough: bool = False,
    ) -> Sums:
        """Return the sums over the batch of `step`, the summed gradient in `out`; call `meanwhile` once.

        `thorough`: for sums that were not finite. Whatever is not finite now has been computed twice.
        """

    def validate(self, step: int, parameters: Vector) -> Sums:
        """Return loss and correct answers over the whole test set, with the parameters after `step`."""

    def workers(self) -> list[WorkerReport]:
        """Return what each worker that is at hand has done."""

    def cpu_seconds(self) -> float:
        """Return the processor seconds used by all workers."""


class Serial:
    """The whole of every batch evaluated in this process: the reference that any number of workers must equal."""

    def __init__(self, job: Job, data: Dataset) -> None:
        self._evaluator = Evaluator(job, data)
        self._evaluator.rehearse()
        self.timing = Timing()
        self._microbatch = job.microbatch
        self._test_size = len(data.test)

    def gradient(
        self,
        step: int,
        parameters: Vector,
        out: Vector,
        meanwhile: Callable[[], None] = nothing,
        thorough: bool = False,  # noqa: ARG002
    ) -> Sums:
        """Return the sums over the batch of `step`, the summed gradient in `out`; call `meanwhile` first."""
        meanwhile()
        began = time.perf_counter()
        self._evaluator.prepare(parameters)
        total = plan.microbatches(self._evaluator.batch_length(step), self._microbatch)
        sums = self._evaluator.train_block(step, (0, total), out)
        seconds = time.perf_counter() - began
        self.timing.add(seconds, seconds, 0.0)
        return sums

    def validate(self, step: int, parameters: Vector) -> Sums:  # noqa: ARG002
        """Return loss and correct answers over the whole test set."""
        self._evaluator.prepare(parameters)
        return self._evaluator.test_block((0, plan.microbatches(self._test_size, self._microbatch)))

    def workers(self) -> list[WorkerReport]:
        """Return nothing: there are no workers."""
        return []

    def cpu_seconds(self) -> float:
        """Return 0: there are no workers."""
        return 0.0
