"""Where the training loop gets its sums from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.compute.sums import Sums
from engine.nn.parameters import Vector


@dataclass(frozen=True)
class WorkerReport:
    """What one worker has done: `images` evaluated in training, `seconds` busy, `cpu` processor seconds used.

    `key`: the beginning of its public key, in hex; "" if it has none. `libraries`: what its kernels are made by. `via`:
    the name of the relay that it is a process of, "" if it is none's. `place`: what a launcher calls the place where it
    runs, "" if none placed it. Of a relay itself, images and seconds are those
    that no process of its own is credited with.
    """

    name: str
    host: str
    pid: int
    images: int
    seconds: float
    cpu: float
    key: str = ""
    libraries: str = ""
    place: str = ""
    via: str = ""


def that_compute(workers: Sequence[WorkerReport]) -> list[WorkerReport]:
    """Return those of `workers` that compute themselves: a relay lets its processes do it."""
    relays = {worker.via for worker in workers}
    return [worker for worker in workers if worker.name not in relays]


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


@dataclass(frozen=True)
class Pending:
    """Sums that are being computed: `result()` waits for them and returns them. Call it once."""

    result: Callable[[], Sums]


class Source(Protocol):
    """Where the training loop gets its sums from.

    `validate(step)` and `start(step + 1)` must be given the same parameters, those after `step`: they are sent once.
    `validate` and `Pending.result` raise InterruptedRoundError.
    """

    timing: Timing

    def start(self, step: int, parameters: Vector, out: Vector) -> Pending:
        """Start on the sums over the batch of `step`, and return at once.

        Until `result` has returned, `parameters` must stay as they are, and nothing else may be started. The summed
        gradient is in `out`, or where it was formed, and stays there until the next start.
        """

    def verify(self, step: int, parameters: Vector, sums: Sums) -> Sums | None:
        """Compute the sums over the batch of `step` again, every block by two workers.

        `sums` are those that `start` led to. Return the right ones, or None if these are right: the bits are the same,
        or there is only this process to compute them. Raises InterruptedRoundError.
        """

    def validate(self, step: int, parameters: Vector) -> Sums:
        """Return loss and correct answers over the whole validation part, with the parameters after `step`."""

    def workers(self) -> list[WorkerReport]:
        """Return what each worker that is ready has done."""

    def cpu_seconds(self) -> float:
        """Return the processor seconds used by all workers."""
