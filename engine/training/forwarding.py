"""A reporter that passes everything on to another one."""

from engine.compute.validation import Validation
from engine.coordinator.source import WorkerReport
from engine.training.reporter import Reporter, RunInfo, StepReport


class ForwardingReporter(Reporter):
    """Passes every event on to `inner`, whose reason to stop it shares. A subclass overrides the events it needs."""

    def __init__(self, inner: Reporter) -> None:
        self._inner = inner

    @property
    def stop_reason(self) -> str | None:
        """The reason for which `inner` is to stop."""
        return self._inner.stop_reason

    @stop_reason.setter
    def stop_reason(self, reason: str | None) -> None:
        self._inner.stop_reason = reason

    def status(self, text: str) -> None:
        """Pass it on."""
        self._inner.status(text)

    def converting(self, what: str, done: int, total: int) -> None:
        """Pass it on."""
        self._inner.converting(what, done, total)

    def listening(self, command: str) -> None:
        """Pass it on."""
        self._inner.listening(command)

    def placed(self, text: str) -> None:
        """Pass it on."""
        self._inner.placed(text)

    def waiting(self, text: str) -> None:
        """Pass it on."""
        self._inner.waiting(text)

    def started(self, info: RunInfo) -> None:
        """Pass it on."""
        self._inner.started(info)

    def step(self, report: StepReport, workers: list[WorkerReport]) -> None:
        """Pass it on."""
        self._inner.step(report, workers)

    def validated(self, validation: Validation) -> None:
        """Pass it on."""
        self._inner.validated(validation)

    def notice(self, text: str) -> None:
        """Pass it on."""
        self._inner.notice(text)

    def interrupted(self) -> None:
        """Pass it on."""
        self._inner.interrupted()

    def ended(self) -> None:
        """Pass it on."""
        self._inner.ended()
