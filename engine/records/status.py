"""How runs and trials stand: the text in the column `state` of `runs` and of `trials`."""

from enum import StrEnum


class RunStatus(StrEnum):
    """How a run stands. A run whose process was killed stays RUNNING in its row; readers show it as INTERRUPTED."""

    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class TrialStatus(StrEnum):
    """How a trial of a sweep stands. PRUNED was stopped early, FAILED diverged; one that was killed stays RUNNING."""

    RUNNING = "running"
    FINISHED = "finished"
    PRUNED = "pruned"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
