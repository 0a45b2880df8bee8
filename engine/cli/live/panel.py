"""The live panel in a terminal while a network trains."""

import math
from datetime import timedelta
from typing import TYPE_CHECKING, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel as Frame
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from engine.cli.live.display import Display, describe, join_with
from engine.reports.text import machines
from engine.system.terminal import ProgressLine
from engine.training.reporter import RunInfo, StepReport

if TYPE_CHECKING:
    from engine.compute.validation import Validation
    from engine.coordinator.source import WorkerReport

REFRESHES = 4  # a second: more would flicker
WIDTH = 76
ECHO = 4  # columns to the right for the "^C" that a terminal writes there, so that it starts no new line
SHOWN_WORKERS = 8


class Panel(Display):
    """One panel, redrawn in place; what happens scrolls by above it. It disappears when the run has ended."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._doing = ""
        self._converted: tuple[int, int] | None = None  # pictures, of how many
        self._leaving = False
        self._over = False
        self._placed = ""  # how workers elsewhere stand
        self._workers: list[WorkerReport] = []
        self._validation: Validation | None = None
        console = Console(file=stream, highlight=False)
        self._line = ProgressLine(stream)
        self._live = Live(console=console, refresh_per_second=REFRESHES, get_renderable=self._render, transient=True)

    def status(self, text: str) -> None:
        first = not self._doing
        self._doing, self._converted = text, None
        if first:  # what draws the panel is a thread, and a process that has one is not forked into workers
            self._line.say(text)
        else:
            self._show()

    def converting(self, what: str, done: int, total: int) -> None:
        begins = self._converted is None
        self._doing, self._converted = what, (done, total)
        if begins:
            self._show()  # from then on it is drawn a few times a second: reports may be many

    def listening(self, command: str) -> None:
        self._live.console.print(join_with(command), markup=False, soft_wrap=True)  # one line, to be copied

    def started(self, info: RunInfo) -> None:
        self._live.console.print(describe(info), markup=False)
        super().started(info)
        self._doing = "waiting for the first step"
        self._show()

    def step(self, report: StepReport, workers: "list[WorkerReport]") -> None:
        super().step(report, workers)
        self._workers = workers
        self._doing = ""

    def validated(self, validation: "Validation") -> None:
        self._validation, self._doing = validation, ""
        score = f"[bold]{validation.measure.short(validation.score)}[/bold]"
        said = f"{score} of the validation part correct"
        if validation.r2 is not None:
            said = f"R² {score} on the validation part"
        self._live.console.print(f"after step {validation.step}: {said}")
        self._show()

    def notice(self, text: str) -> None:
        self._live.console.print(text, style="yellow", markup=False)
        self._show()

    def placed(self, text: str) -> None:
        self._placed = text
        self._show()

    def waiting(self, text: str) -> None:
        self.notice(text)

    def interrupted(self) -> None:
        self._leaving = True

    def ended(self) -> None:
        if self._info is None:
            self._line.clear()
        self._disappear()

    def _disappear(self) -> None:
        """Erase the panel.

        The last frame is empty: rich prints all of that one, however high, and a low terminal could not erase it again.
        """
        self._over = True
        self._live.stop()

    def _show(self) -> None:
        """Draw the panel now, and from now on a few times a second."""
        self._line.clear()
        self._live.start()
        self._live.refresh()

    def _render(self) -> RenderableType:
        if self._over:
            return Group()
        doing = "finishing the step and saving (Ctrl-C again: quit at once)" if self._leaving else self._doing
        if self._info is None:
            return self._preparing(doing)
        rows: list[RenderableType] = [self._bar()]
        if facts := self._facts(self._info):
            table = Table.grid(padding=(0, 2))
            for name, text in facts:
                table.add_row(Text(name, "dim"), text)
            rows.append(table)
        width = min(WIDTH, self._live.console.width - ECHO)
        below = Text(f" {doing} ", "yellow" if self._leaving else "dim") if doing else None
        return Frame(Group(*rows), title="gradsum", subtitle=below, width=width)

    def _preparing(self, doing: str) -> RenderableType:
        """Return what is seen before the run begins: what is being done, and how far it is if that is known."""
        text = Text(f"{doing} ..." + (f" {self._placed}" if self._placed else ""), "dim")
        if self._converted is None:
            return text
        done, total = self._converted
        row = Table.grid(padding=(0, 2))
        row.add_row(text, ProgressBar(total=total, completed=done, width=30), f"{done:,} of {total:,}")
        return row

    def _bar(self) -> RenderableType:
        """Return the bar with the percentage and the time left, or one that only moves if the end is unknown."""
        row = Table.grid(expand=True, padding=(0, 2))
        row.add_column(ratio=1)
        progress = self.progress()
        if progress is None:
            row.add_row(ProgressBar(pulse=True))
        else:
            done, left = progress
            clock = timedelta(seconds=round(left))
            row.add_row(ProgressBar(total=1.0, completed=done), f"{100 * done:.0f} %", f"{clock} left")
        return row

    def _facts(self, info: RunInfo) -> list[tuple[str, Text]]:
        """Return the rows of the panel. What launchers and workers say is not markup: it may hold [::1]."""
        report = self._report
        if report is None:
            return []
        (loss, percent), n = self._means, len(self._recent)
        mean = Text.assemble(f"{loss:.4f}", (f" mean of {n} batches" if n > 1 else "", "dim"))
        facts: list[tuple[str, str | Text]] = [
            ("epoch", f"{report.epoch:.2f}"),
            ("step", f"{report.step:,}" + (f" of {info.last_step:,}" if info.last_step else "")),
            ("loss", mean),
            *([] if math.isnan(percent) else [("correct", f"{percent:.1f} %")]),
            (f"{self.unit}/s", f"{report.images_per_second:,.0f}"),
        ]
        facts += self._workers_facts()
        if self._placed:
            facts.append(("elsewhere", self._placed))
        if seen := self._validation:
            facts.append(("validation", f"{_named(seen)} after step {seen.step:,}"))
        return [(name, text if isinstance(text, Text) else Text(text)) for name, text in facts]

    def _workers_facts(self) -> list[tuple[str, str]]:
        """Return the rows about those that compute."""
        from engine.coordinator.source import that_compute  # slow to import; by now it is there

        computing, facts = that_compute(self._workers), []
        if where := machines((w.name, w.host, w.via) for w in self._workers):
            facts.append(("machines", where))
        if computing:
            shown = computing[:SHOWN_WORKERS]
            rates = [f"{w.images / w.seconds:,.0f}" if w.seconds else "-" for w in shown]
            more = f" and {len(computing) - len(shown)} more" if len(computing) > len(shown) else ""
            facts.append(("each process" if where else "each worker", " ".join(rates) + more))
        return facts


def _named(seen: "Validation") -> str:
    """Return the score of a validation, with what it is unless "%" says it."""
    return seen.measure.short(seen.score) if seen.r2 is None else seen.text()
