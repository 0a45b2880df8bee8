"""Something that happens at a certain moment of a run."""

from collections.abc import Callable

from engine.compute.validation import Validation
from engine.coordinator.source import WorkerReport
from engine.training.reporter import Reporter, RunInfo, StepReport

Action = Callable[[list[WorkerReport]], None]


class Saboteur(Reporter):
    """Calls `action` once, at a moment: when a status, "started", "step 3" or "validated" begins with it."""

    def __init__(self, moment: str, action: Action) -> None:
        self.moment = moment
        self.action: Action | None = action
        self.notices: list[str] = []

    def _at(self, moment: str, workers: list[WorkerReport] | None = None) -> None:
        if self.action and moment.startswith(self.moment):
            action, self.action = self.action, None
            action(workers or [])

    def status(self, text: str) -> None:
        self._at(text)

    def started(self, info: RunInfo) -> None:
        self._at("started")

    def step(self, report: StepReport, workers: list[WorkerReport]) -> None:
        self._at(f"step {report.step}", workers)

    def validated(self, validation: Validation) -> None:
        self._at("validated")

    def notice(self, text: str) -> None:
        self.notices.append(text)


Sabotage = Callable[[str, Action], Saboteur]
