"""One measured session of gradsum, in a process of its own. Used by `versus_torch`."""

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.session import options, rates, tell
from engine.system.blas import ONE_THREAD

WARM = 10  # steps before the clock starts


def train(workers: int, batch: int, steps: int) -> dict[str, float]:
    """Return images/s of training steps, and the wall-clock time of the first one."""
    import engine
    from engine.coordinator.source import WorkerReport
    from engine.training.reporter import StepReport

    ends: list[float] = []
    cpu: list[float] = []

    class Stopwatch(engine.Reporter):
        def step(self, report: StepReport, workers: list[WorkerReport]) -> None:
            ends.append(time.time())
            cpu.append(time.process_time())

    with TemporaryDirectory() as folder:
        where: dict[str, Any] = {"db": Path(folder) / "records.db", "out": Path(folder) / "out"}
        where |= {"snapshot_first": 0, "snapshot_every": 0, "statistics_every": 0}  # the others log none
        until = WARM + steps
        engine.train(workers=workers, batch_size=batch, steps=until, reporter=Stopwatch(), **where)
    wall, used = (clock[-1] - clock[WARM - 1] for clock in (ends, cpu))
    return rates(batch * steps, wall, used) | {"first_step": ends[0]}


def forward(images: int) -> dict[str, float]:
    """Return images/s of evaluation in this process."""
    import engine
    from engine.data import Normalisation
    from engine.network import Network
    from engine.nn.built_in import letters

    data = engine.load_data("letters")
    model = letters()
    layout = model.layout()
    parameters = layout.zeros()
    layout.initialise(parameters, 1)
    network = Network(model, parameters, Normalisation.of(data.train.images), data.classes)
    network.evaluate(data)
    began, used = time.perf_counter(), time.process_time()
    rounds = max(1, images // len(data.train))
    for _ in range(rounds):  # of the larger part: programs are made anew for each
        network.evaluate(data, "train")
    return rates(rounds * len(data.train), time.perf_counter() - began, time.process_time() - used)


def main() -> None:
    """Measure and print."""
    os.environ.update(ONE_THREAD)
    parser = options(__doc__)
    parser.add_argument("--workers", type=int, default=0)
    a = parser.parse_args()
    if a.forward:
        tell(lambda batch, steps: forward(batch * steps), a)
    else:
        tell(lambda batch, steps: train(a.workers, batch, steps), a, workers=a.workers)


if __name__ == "__main__":
    main()
