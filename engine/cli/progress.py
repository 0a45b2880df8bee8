"""What a person sees while a network trains: one live panel in a terminal, plain lines elsewhere, nothing if quiet."""

import time
from typing import TYPE_CHECKING, Any, TextIO

from engine.evaluate import WorkerReport
from engine.report import Reporter, RunInfo, StepReport
from engine.validation import Validation

if TYPE_CHECKING:
    from rich.console import RenderableType

LINE_EVERY = 5.0  # seconds between plain lines
SHOWN_WORKERS = 8


def reporter_for(stream: TextIO, quiet: bool) -> Reporter:
    """Return the reporter that suits `stream`."""
    if quiet:
        return Reporter()
    return Panel(stream) if stream.isatty() else Lines(stream)


def describe(info: RunInfo) -> str:
    """Return a line about a run that begins."""
    data = f"generated {info.data}" if info.generated else info.data
    workers = f"{info.workers} workers" if info.workers else "this process"
    text = f"run {info.run}: {info.model} ({info.parameters:,} parameters) on {info.train_samples:,} {data}, {workers}"
    return text + (f", from step {info.step}" if info.step else "")


def remaining(info: RunInfo, report: StepReport) -> float | None:
    """Return the seconds that are left, None if no step count ends the run."""
    if info.last_step is None or report.elapsed <= 0 or report.step <= info.step:
        return None
    return (info.last_step - report.step) * report.images / report.images_per_second


class Lines(Reporter):
    """A line now and then, for log files and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._info: RunInfo | None = None
        self._last = 0.0

    def _say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def started(self, info: RunInfo) -> None:
        """Say what begins."""
        self._info = info
        self._last = time.monotonic()
        self._say(describe(info))

    def step(self, report: StepReport, workers: list[WorkerReport]) -> None:  # noqa: ARG002
        """Say where training is, every few seconds."""
        if self._info is None or time.monotonic() - self._last < LINE_EVERY:
            return
        self._last = time.monotonic()
        left = remaining(self._info, report)
        end = f", {left:.0f} s left" if left is not None else ""
        self._say(
            f"epoch {report.epoch:.2f}  step {report.step}  loss {report.loss:.4f}  {report.percent:.1f} % correct  "
            f"{report.images_per_second:,.0f} images/s{end}"
        )

    def validated(self, validation: Validation) -> None:
        """Say what the validation found."""
        self._say(f"validation after step {validation.step}: {validation.percent:.2f} % correct")

    def notice(self, text: str) -> None:
        """Say it."""
        self._say(text)


class Panel(Reporter):
    """One live panel with a progress bar; events scroll by above it."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        console = Console(file=stream)
        columns = (BarColumn(bar_width=None), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
        self._bar = Progress(*columns, TextColumn("left"), TimeRemainingColumn(elapsed_when_finished=True), expand=True)
        self._task: TaskID | None = None
        self._live = Live(console=console, refresh_per_second=8, get_renderable=self._render, transient=True)
        self._info: RunInfo | None = None
        self._report: StepReport | None = None
        self._workers: list[WorkerReport] = []
        self._validation: Validation | None = None

    def status(self, text: str) -> None:
        """Show what is being done."""
        self._live.console.print(f"[dim]{text} ...[/dim]")

    def started(self, info: RunInfo) -> None:
        """Open the panel."""
        self._live.console.print(describe(info))
        self._info = info
        self._task = self._bar.add_task("", total=info.last_step, completed=info.step)
        self._live.start()

    def step(self, report: StepReport, workers: list[WorkerReport]) -> None:
        """Keep the newest step for the next refresh."""
        self._report, self._workers = report, workers
        if self._task is not None:
            self._bar.update(self._task, completed=report.step)

    def validated(self, validation: Validation) -> None:
        """Keep the newest validation, and let it scroll by."""
        self._validation = validation
        text = f"after step {validation.step}: [bold]{validation.percent:.2f} %[/bold] of the test set correct"
        self._live.console.print(text, highlight=False)

    def notice(self, text: str) -> None:
        """Let it scroll by."""
        self._live.console.print(text, style="yellow", markup=False)

    def ended(self) -> None:
        """Close the panel."""
        self._live.stop()

    def _render(self) -> "RenderableType":
        from rich.console import Group
        from rich.panel import Panel as Frame
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        for left, right in self._facts():
            table.add_row(f"[dim]{left}[/dim]", right)
        return Frame(Group(self._bar, table), title="gradsum", width=min(80, self._live.console.width))

    def _facts(self) -> list[tuple[str, Any]]:
        """Return the rows of the panel."""
        report, info = self._report, self._info
        if report is None or info is None:
            return [("waiting", "for the first step")]
        facts = [
            ("epoch", f"{report.epoch:.2f}"),
            ("step", f"{report.step:,}" + (f" of {info.last_step:,}" if info.last_step else "")),
            ("loss", f"{report.loss:.4f}"),
            ("correct", f"{report.percent:.1f} % of the batch"),
            ("images/s", f"{report.images_per_second:,.0f}"),
        ]
        if self._workers:
            shown = self._workers[:SHOWN_WORKERS]
            rates = [f"{w.images / w.seconds:,.0f}" if w.seconds else "-" for w in shown]
            more = f" and {len(self._workers) - len(shown)} more" if len(self._workers) > len(shown) else ""
            facts.append(("each worker", " ".join(rates) + more))
        return facts
