"""The rows of `runs`, `validation`, `workers` and `events` as they are read, with the meaning of each column."""

from collections.abc import Mapping
from typing import Annotated, Any, TypedDict

from engine.records.status import RunStatus

RunNumber = Annotated[int, "the run: runs.startID"]
Batchno = Annotated[int, "steps done, this one included; the first is 1"]
Epoch = Annotated[float, "epochs of training data seen so far, with fraction"]
Time = Annotated[float, "wall-clock time, seconds since 1970 UTC"]
Elapsed = Annotated[float, "wall-clock seconds of training so far; a resumed run counts on"]
CpuTime = Annotated[float, "CPU seconds so far, coordinator and workers together"]


class Run(TypedDict):
    """A row of `runs`, as `list_runs` returns it."""

    startID: Annotated[int, "number of the run in this database"]
    uuid: Annotated[str, "the run's own name, the same in its checkpoints and in any database"]
    name: Annotated[str | None, "a name given by a person, or NULL"]
    started: Annotated[str, "ISO 8601 UTC"]
    finished: Annotated[str | None, "ISO 8601 UTC; NULL while it runs, or when it was killed"]
    state: Annotated[RunStatus, "running, finished, interrupted or failed"]
    reason: Annotated[str | None, "why it ended"]
    model: Annotated[str, "name of the model, or the path of its file"]
    data: Annotated[str, "name of the data set, or its path"]
    generated: Annotated[bool, "1 where the data set was generated, 0 where it is real"]
    data_digest: Annotated[str | None, "hex digest of the data set"]
    optimizer: Annotated[str, "sgd, momentum, nesterov, rmsprop, adam or adamw"]
    lr: Annotated[float, "learning rate at the start"]
    batch_size: Annotated[int, "samples a step"]
    microbatch: Annotated[int, "samples a micro-batch"]
    workers: Annotated[int, "workers asked for; 0 is the serial path"]
    seed: Annotated[int, "seed of initialisation, order, dropout and augmentation"]
    settings: Annotated[Mapping[str, Any], "JSON object of every setting"]
    versions: Annotated[Mapping[str, Any], "JSON object: gradsum, python, numpy, scipy, pyzmq, blas, backend and so on"]
    host: Annotated[str | None, "host name of the coordinator"]
    pid: Annotated[int | None, "process id of the coordinator"]
    process: Annotated[
        str | None, "boot, PID namespace and start of that process: tells a reused pid apart; NULL if unknown"
    ]
    cores: Annotated[int | None, "cores the coordinator may use"]
    git_commit: Annotated[str | None, "commit of the repository in the current folder, or NULL"]
    command: Annotated[str | None, "the command line"]
    folder: Annotated[str | None, "where its checkpoints are"]
    steps: Annotated[int | None, "steps done at the end"]
    epochs: Annotated[float | None, "epochs of training data seen at the end"]
    train_loss: Annotated[float | None, "mean loss of a sample over the last (at most) 100 batches; NULL if not finite"]
    best_percent: Annotated[
        float | None,
        "best percent correct of any validation whose parameters were kept; NULL where values are predicted",
    ]
    images_per_second: Annotated[
        float | None, "training images per wall-clock second, without the first ten steps if there were more"
    ]
    wall_seconds: Annotated[float | None, "wall-clock seconds of training"]
    cpu_seconds: Annotated[float | None, "CPU seconds, coordinator and workers together"]
    params_sha256: Annotated[str | None, "hex digest of the final parameters"]
    best_step: Annotated[int | None, "the first step with best_percent, or best_r2, whose checkpoint is kept"]
    last_percent: Annotated[float | None, "percent correct of the last validation; NULL where values are predicted"]
    best_r2: Annotated[
        float | None, "best R² of any validation whose parameters were kept; NULL where classes are named"
    ]
    last_r2: Annotated[float | None, "R² of the last validation; NULL where classes are named"]
    snapshot_schedule: Annotated[
        Mapping[str, Any],
        "JSON object: the `first` steps have snapshots, and every `every`th; of those at most `later` are kept, null: "
        "all (above that, every second one is deleted, and `every` doubles)",
    ]
    parts: Annotated[
        str | None,
        "which part of the data is trained with, chosen by and left to test with, and how many samples each has",
    ]
    start: Annotated[
        str | None, "the file that the first parameters were taken from, and which of them; NULL: all were random"
    ]


class Validation(TypedDict):
    """A row of `validation`."""

    startID: RunNumber
    batchno: Batchno
    epoch: Epoch
    time: Time
    cputime: CpuTime
    elapsed: Elapsed
    corperc: Annotated[
        float | None, "percent of the validation samples classified correctly; NULL where values are predicted"
    ]
    avgloss: Annotated[float | None, "mean loss over the validation samples; NULL where it is nan"]
    r2: Annotated[
        float | None,
        "R² = 1 - SSE / SST over the validation samples, SST about the mean of their targets; NULL where classes are "
        "named, or where these are all the same",
    ]
    topk: Annotated[int | None, "the K of topperc; NULL where there are no more outputs, or no classes"]
    topperc: Annotated[float | None, "percent of the validation samples whose class is among the K likeliest"]
    metrics: Annotated[str | None, "metrics of your own by their names, as JSON; NULL where there are none"]


class Worker(TypedDict):
    """A row of `workers`."""

    startID: RunNumber
    worker: Annotated[str, "name of the worker, one of its own in the run"]
    host: Annotated[str | None, "its host name"]
    pid: Annotated[int | None, "its process id there"]
    joined: Annotated[str | None, "ISO 8601 UTC, when it was ready to work"]
    left: Annotated[str | None, "ISO 8601 UTC, when it left or was lost; NULL while it works"]
    reason: Annotated[str | None, "why it left, or how it was lost"]
    images: Annotated[int, "images whose gradients were used"]
    seconds: Annotated[float, "seconds spent computing"]
    images_per_second: Annotated[float | None, "speed while computing"]
    fingerprint: Annotated[str | None, "what its bits depend on: program, arithmetic; and what made its kernels"]
    key: Annotated[str | None, "the beginning of its public key, in hex; NULL for a worker without one"]
    place: Annotated[str | None, "what the launcher calls the place where it runs, such as job 21_3, or NULL"]
    cpu: Annotated[float | None, "processor seconds that it used, its start included; of a relay those of its own"]
    via: Annotated[
        str | None,
        "the relay, another worker of the run, that it is a process of, or has joined, or NULL; the images of a relay "
        "are in the rows of its processes",
    ]


class Event(TypedDict):
    """A row of `events`."""

    id: Annotated[int, "number of the event in this database"]
    startID: RunNumber
    batchno: Annotated[int | None, "steps done when it happened, or NULL"]
    time: Time
    elapsed: Annotated[float | None, "wall-clock seconds of training until then, or NULL"]
    kind: Annotated[
        str,
        "one word: joined, left (the worker said goodbye), lost (it went without: it was killed, or its connection "
        "ended), refused, resumed and so on",
    ]
    worker: Annotated[str | None, "the worker concerned, or NULL"]
    text: Annotated[str, "what happened, for people"]
