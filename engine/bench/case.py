"""What is measured: a network on data, and how a batch is computed."""

from dataclasses import dataclass

from engine.settings import default_microbatch
from engine.training.step_times import WARM_UP

LEAST_STEPS = 10  # of a run that are measured, even if fewer samples were asked for


@dataclass(frozen=True)
class Subject:
    """The network, the data and where workers run, as `gradsum train` names them; None: its defaults.

    With `bind` all workers are elsewhere and join there, with the key file `key`, or without if it is None.
    """

    model: str | None = None
    data: str | None = None
    on: str | None = None
    bind: str | None = None
    key: str | None = None


@dataclass(frozen=True)
class Case:
    """A number of workers for batches of one size; `study` is the size asked for, of which `batch` is a multiple in
    weak scaling.
    """

    study: int
    batch: int
    microbatch: int
    workers: int

    def steps(self, samples: int) -> int:
        """Return how many steps a run over about so many samples has."""
        return WARM_UP + max(samples // self.batch, LEAST_STEPS)


def cases(studies: list[int], microbatches: list[int], counts: list[int], *, weak: bool) -> list[Case]:
    """Return all combinations, those of one study together; without `microbatches` with its default of each."""
    return [
        Case(study, study * max(workers, 1) if weak else study, microbatch, workers)
        for study in studies
        for microbatch in microbatches or [default_microbatch(study)]
        for workers in counts
    ]
