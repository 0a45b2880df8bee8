"""Every batch evaluated in this process: the reference that any number of workers must equal."""

import time
from functools import partial

from engine.compute import tree
from engine.compute.evaluator import Evaluator
from engine.compute.job import Job
from engine.compute.sums import Sums
from engine.coordinator.source import Pending, Timing, WorkerReport
from engine.data import Dataset
from engine.nn.parameters import Vector


class Serial:
    """Every batch evaluated in this process: the reference that any number of workers must equal."""

    def __init__(self, job: Job, data: Dataset) -> None:
        self._evaluator = Evaluator(job, data)
        self.timing = Timing()
        self._microbatch = job.microbatch
        self._validation_size = len(data.validating)

    def start(self, step: int, parameters: Vector, out: Vector) -> Pending:
        """Only remember what to compute: the result is computed when it is asked for."""
        return Pending(partial(self._gradient, step, parameters, out))

    def verify(self, step: int, parameters: Vector, sums: Sums) -> None:  # noqa: ARG002
        """Believe what this process has computed."""
        return

    def _gradient(self, step: int, parameters: Vector, out: Vector) -> Sums:
        """Return the sums over the batch of `step`, the summed gradient in `out`."""
        began = time.perf_counter()
        self._evaluator.prepare(parameters, stays=True)
        total = tree.microbatches(self._evaluator.batch_length(step), self._microbatch)
        sums = self._evaluator.train_block(step, (0, total), out)
        seconds = time.perf_counter() - began
        self.timing.add(seconds, seconds, 0.0)
        return sums

    def validate(self, step: int, parameters: Vector) -> Sums:  # noqa: ARG002
        """Return loss and correct answers over the whole validation part."""
        self._evaluator.prepare(parameters, stays=True)
        return self._evaluator.split_block((0, tree.microbatches(self._validation_size, self._microbatch)))

    def workers(self) -> list[WorkerReport]:
        """Return nothing: there are no workers."""
        return []

    def cpu_seconds(self) -> float:
        """Return 0: there are no workers."""
        return 0.0
