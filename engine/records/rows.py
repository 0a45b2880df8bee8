"""The rows as they are written: one small class a table, with the meaning of each column of most tables.

`read_rows` has the meanings for `runs`, `validation`, `workers` and `events`, whose rows have more columns when they
are read. `TrainingRow`, `StatisticsRow`, `SweepRow` and `TrialRow` are read, too. New fields come last, with a default.

Times are seconds unless they are called ISO 8601.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple, TypedDict
from uuid import uuid4

from engine.records.read_rows import Batchno, CpuTime, Elapsed, Epoch, RunNumber, Time
from engine.records.status import TrialStatus

Layer = Annotated[str, "name of the layer: c1, fc1 and so on"]
ArrayName = Annotated[str, "name of the array in the layer: filter, weights or bias"]
OfStep = Annotated[
    int, "the step it is of; the values are those that its gradient was taken at, before it changed them"
]


@dataclass(frozen=True)
class RunRow:
    """What is known of a run when it begins: a part of `Run`, whose fields say what each of these means.

    `settings` and `versions` hold plain data and are stored as JSON. Host, process, cores, command, commit and the
    time are found by `Recorder.begin`.
    """

    model: str
    data: str
    optimizer: str
    lr: float
    batch_size: int
    microbatch: int
    workers: int
    seed: int
    uuid: str = field(default_factory=lambda: uuid4().hex)
    name: str | None = None
    generated: bool = False
    data_digest: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)
    folder: str | None = None
    parts: str | None = None
    start: str | None = None


class Totals(TypedDict, total=False):
    """What is known of a run when it ends; every one may be left out."""

    steps: int
    epochs: float
    train_loss: float | None
    best_percent: float | None
    best_step: int | None
    last_percent: float | None
    best_r2: float | None
    last_r2: float | None
    images_per_second: float | None
    wall_seconds: float
    cpu_seconds: float
    params_sha256: str


class TrainingRow(NamedTuple):
    """One step."""

    batchno: Batchno
    epoch: Epoch
    time: Time
    elapsed: Elapsed
    cputime: CpuTime
    corperc: Annotated[
        float | None, "percent of this batch that was classified correctly; NULL where values are predicted"
    ]
    avgloss: Annotated[float, "mean loss of this batch; NULL where it is nan"]
    batchsize: Annotated[int, "samples in this batch"]
    lr: Annotated[float, "learning rate of this step"]
    momentum: Annotated[float | None, "momentum of this step; NULL where the optimizer has none"] = None
    gradnorm: Annotated[
        float | None, "Euclidean norm of the mean gradient of this batch, before --clip-norm scales it down"
    ] = None


class ValidationRow(NamedTuple):
    """One validation."""

    batchno: int
    epoch: float
    time: float
    cputime: float
    elapsed: float
    corperc: float | None
    avgloss: float
    r2: float | None = None
    topk: int | None = None
    topperc: float | None = None
    metrics: str | None = None


class ClassRow(NamedTuple):
    """One class in one validation."""

    batchno: Annotated[int, "the step after which it was validated"]
    number: Annotated[int, "number of the class, from 0"]
    name: Annotated[str, "name of the class; empty for an output beyond the classes"]
    samples: Annotated[int, "samples of this class"]
    answers: Annotated[int, "samples that were taken for this class"]
    correct: Annotated[int, "samples of this class that were taken for it"]
    recall: Annotated[float | None, "correct / samples; NULL where there are none"]
    precision: Annotated[float | None, "correct / answers; NULL where there are none"]
    f1: Annotated[float | None, "2 correct / (samples + answers); NULL where there are none of either"]


class ConfusionRow(NamedTuple):
    """How often one class was taken for one class in one validation; there is no row where it never was."""

    batchno: Annotated[int, "the step after which it was validated"]
    label: Annotated[int, "number of the class that the samples are of"]
    answer: Annotated[int, "number of the class that they were taken for"]
    samples: Annotated[int, "how many samples"]


class WorkerRow(NamedTuple):
    """One worker as far as it is known; `Recorder.worker` says what a later row of the same `worker` replaces."""

    worker: str
    host: str | None = None
    pid: int | None = None
    joined: str | None = None
    left: str | None = None
    reason: str | None = None
    images: int = 0
    seconds: float = 0.0
    images_per_second: float | None = None
    fingerprint: str | None = None
    key: str | None = None
    place: str | None = None
    cpu: float | None = None
    via: str | None = None


class EventRow(NamedTuple):
    """Something that happened. `time` None: now."""

    kind: str
    text: str = ""
    batchno: int | None = None
    worker: str | None = None
    elapsed: float | None = None
    time: float | None = None


class StatisticsRow(NamedTuple):
    """One array at one step. nan is stored as NULL, and read as nan."""

    batchno: OfStep
    name: Layer
    subname: ArrayName
    values_mean: Annotated[float, "mean of the values"]
    values_deviation: Annotated[float, "standard deviation of the values"]
    values_min: Annotated[float, "smallest of the values"]
    values_max: Annotated[float, "largest of the values"]
    values_norm: Annotated[float, "Euclidean norm of the values"]
    values_zeros: Annotated[float, "fraction of the values that is 0"]
    gradients_mean: Annotated[float, "mean of the gradients"]
    gradients_deviation: Annotated[float, "standard deviation of the gradients"]
    gradients_min: Annotated[float, "smallest of the gradients"]
    gradients_max: Annotated[float, "largest of the gradients"]
    gradients_norm: Annotated[float, "Euclidean norm of the gradients"]
    gradients_zeros: Annotated[float, "fraction of the gradients that is 0"]
    updates_mean: Annotated[float, "mean of the updates"]
    updates_deviation: Annotated[float, "standard deviation of the updates"]
    updates_min: Annotated[float, "smallest of the updates"]
    updates_max: Annotated[float, "largest of the updates"]
    updates_norm: Annotated[float, "Euclidean norm of the updates"]
    updates_zeros: Annotated[float, "fraction of the updates that is 0"]


class HistogramRow(NamedTuple):
    """The values or gradients of one array at one step, as counts of equal bins."""

    batchno: OfStep
    name: Layer
    subname: ArrayName
    what: Annotated[str, "values or gradients"]
    low: Annotated[float | None, "smallest finite one, where the first bin begins; NULL if none is finite"]
    high: Annotated[float | None, "largest finite one, where the last bin ends; NULL if none is finite"]
    counts: Annotated[str, "JSON array: how many lie in each of the bins, which are equally wide"]


@dataclass(frozen=True)
class SweepRow:
    """All that a sweep's trials follow from. `over`, `settings` and `models` hold plain data, stored as JSON."""

    uuid: Annotated[str, "the sweep's own name; those of its runs are made from it"]
    name: Annotated[str | None, "a name given by a person, or NULL"]
    over: Annotated[Mapping[str, str], "JSON object: what each setting is tried with, as it was given"]
    sampler: Annotated[str, "grid, random or tpe"]
    trials: Annotated[int, "how many trials there are to be"]
    prune_after: Annotated[int, "trials to be finished before one is stopped early; 0: none ever is"]
    seed: Annotated[int, "seed of the sampler"]
    settings: Annotated[Mapping[str, Any], "JSON object: the settings that were given for all trials"]
    model: Annotated[str, "name of the model, or the path of its file; of several, the first"]
    models: Annotated[Mapping[str, Any], "JSON object: each model by that name, as its layers are described in a file"]
    data: Annotated[str | None, "name of the data set, or its path; NULL if it was given in Python"]
    data_digest: Annotated[str, "hex digest of the data set"]
    folder: Annotated[str, "where the checkpoints of its runs are, a folder each, and the best settings"]
    reading: Annotated[
        Mapping[str, Any], "JSON object: what was chosen of how the data is read, such as size or target_column"
    ] = field(default_factory=dict)
    at_once: Annotated[int | None, "trials side by side; what a trial follows from ends so many before it; NULL: 1"] = (
        None
    )


class TrialRow(NamedTuple):
    """One trial of a sweep."""

    sweep: Annotated[int, "the sweep: sweeps.sweep"]
    number: Annotated[int, "number of the trial in the sweep; the first is 1"]
    startID: RunNumber  # noqa: N815 - the name of the column
    parameters: Annotated[str, "JSON object: what the settings of the sweep are in this trial"]
    state: Annotated[
        TrialStatus,
        "running (and so it stays if the process is killed), finished, pruned (stopped early), failed (diverged) or "
        "interrupted",
    ]
    value: Annotated[float | None, "best percent correct of any validation, or R²; NULL if there was none"] = None
    step: Annotated[int | None, "the first step with that"] = None
