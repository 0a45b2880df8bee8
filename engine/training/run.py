"""A run before it begins: all that is decided before the first process starts."""

import platform
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine.checkpoint import Checkpoint, DataState, RunState
from engine.compute.fingerprint import differences, fingerprint, libraries
from engine.compute.job import Job
from engine.compute.validation import Scorer
from engine.data import Dataset, Normalisation, Sampler, Usage
from engine.data.collection import size_option
from engine.data.read_options import ReadOptions
from engine.data.reading import Manner
from engine.kernels import choose
from engine.nn.frozen import frozen_layers
from engine.nn.model import Model
from engine.nn.schedule import Rising, Schedule
from engine.records import RunRow
from engine.settings import Settings
from engine.training.class_weights import class_weights
from engine.training.start import Match

OWN = "own"  # the name of a model that was given in Python
KERNELS = "kernels"  # the name of the backend among the versions
NUMERICS = "numerics"  # the name of the fingerprint among the versions


@dataclass(frozen=True)
class Run:
    """A run: what it is to do, where it writes, and the `checkpoint` it continues from, if any.

    `uuid` is the same in the records and in every checkpoint. `source` is the name or path of the data, None if the
    data was given in Python; `reading` is how it was read. `values` is the normalisation of targets that are values,
    None where there are classes. `rates` are learning rates in the place of those that the settings say, `match` is
    what the run begins with instead of random values.
    """

    uuid: str
    settings: Settings
    model: Model
    model_name: str
    data: Dataset
    source: str | None
    digest: str
    normalisation: Normalisation
    db: Path
    folder: Path
    checkpoint: Checkpoint | None
    name: str | None = None
    values: Normalisation | None = None
    reading: ReadOptions = field(default_factory=ReadOptions)
    rates: Rising | None = None
    match: Match | None = None

    def job(self) -> Job:
        """Return what workers must know."""
        s = self.settings
        return Job(
            self.model,
            self.digest,
            self.normalisation,
            s.batch_size,
            s.microbatch_size,
            s.seed,
            s.augment,
            self.values,
            float(s.validation),
            float(s.label_smoothing),
            class_weights(s.class_weights, self.data, self.model.classes),
            self.frozen,
        )

    @cached_property
    def frozen(self) -> tuple[str, ...]:
        """The layers that are not trained."""
        return frozen_layers(self.settings.freeze, self.model.layout())

    def schedule(self) -> Schedule | Rising:
        """Return the learning rate of every step: `rates`, or what the settings say."""
        s = self.settings
        numbers = s.schedule_steps or 1, s.warmup, s.min_lr, s.decay_every or 1, s.decay_factor
        return self.rates or Schedule(s.schedule, s.lr or 0.0, *numbers)

    def sampler(self) -> Sampler:
        """Return what cuts the training set into batches."""
        return Sampler(len(self.data.train), self.settings.batch_size, self.settings.seed)

    def last_step(self) -> int | None:
        """Return the step that ends the run; None if something else does."""
        return self.settings.last_step(len(self.data.train))

    @cached_property
    def scorer(self) -> Scorer:
        """What turns sums over the validating part into a validation."""
        return Scorer.of(self.data.validating, self.values)

    def state(self) -> RunState:
        """Return what every checkpoint of the run says of it; how far it is has to be filled in."""
        data = self.data
        return RunState(
            uuid=self.uuid,
            name=self.name,
            model=self.model.describe(),
            model_name=self.model_name,
            settings=self.settings.asdict(),
            data=DataState(
                data.name,
                self.digest,
                tuple(data.classes),
                data.generated,
                self.source,
                **_look(data),
                **self._reading(),
                columns=data.columns,
                targets=data.targets,
            ),
            normalisation=asdict(self.normalisation),
            values=asdict(self.values) if self.values else None,
            versions=versions(),
            db=str(self.db.absolute()),
            rates=asdict(self.rates) if self.rates else None,
        )

    def row(self) -> RunRow:
        """Return the run's row in the records."""
        s = self.settings
        return RunRow(
            model=self.model_name,
            data=self.data.name,
            optimizer=s.optimizer,
            lr=s.lr or 0.0,
            batch_size=s.batch_size,
            microbatch=s.microbatch_size,
            workers=s.workers or 0,
            seed=s.seed,
            uuid=self.uuid,
            name=self.name,
            generated=self.data.generated,
            data_digest=self.digest,
            settings=s.asdict(),
            versions=versions(),
            folder=str(self.folder.absolute()),
            parts=self.usage.text(),
            start=self.match.text() if self.match else None,
        )

    def _reading(self) -> dict[str, Any]:
        """Return what checkpoints say of how pictures are to be read; a table says itself what its columns are."""
        reading = self.reading
        return {
            "size": size_option(reading.size) or (),
            "skip_unreadable": reading.skip_unreadable,
            "picture_columns": reading.columns or (),
        }

    @cached_property
    def usage(self) -> Usage:
        """Which part of the data is used for what."""
        return Usage.of(self.data, held_out=self.settings.validation > 0)

    def other_numerics(self) -> str:
        """Say so if the checkpoint that is continued has another fingerprint; one of an old version has none."""
        here = fingerprint()
        there = self.checkpoint.run.versions.get(NUMERICS) if self.checkpoint else None
        if there in (None, here):
            return ""
        was, now = differences(there, here)
        return f"continuing, but results will not be bit-identical to those without a stop (was {was}, now {now})"


def _look(data: Dataset) -> dict[str, Any]:
    """Return how pictures of the data were read; nothing where there are none."""
    return {} if data.train.has_features else asdict(Manner.of(data))


@cache  # it reads files
def packages() -> dict[str, str]:
    """Return the versions of the packages that a result may depend on, and of Python."""
    names = ("gradsum", "numpy", "scipy", "pyzmq", "safetensors")
    return {name: version(name) for name in names} | {"python": platform.python_version()}


def versions() -> dict[str, str]:
    """Return everything that a result may depend on besides what was asked for."""
    return packages() | {KERNELS: choose().name, NUMERICS: fingerprint(), "libraries": libraries()}
