"""How far a study of `gradsum bench` is: a bar in a terminal, a line for each measurement elsewhere."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from engine.system.signals import Interrupt
from engine.system.terminal import forgiving, is_live

if TYPE_CHECKING:
    from engine.bench.study import Measurement, Study


def follow(study: "Study", stream: TextIO | None, interrupt: Interrupt) -> bool:
    """Make all measurements, and return whether that was not interrupted."""
    try:
        for _ in _shown(study, stream):
            if interrupt.requested:
                return False
    except KeyboardInterrupt:
        return False
    return not interrupt.requested


def _shown(study: "Study", stream: TextIO | None) -> "Iterator[Measurement]":
    if stream is None:
        yield from study.measurements()
    elif is_live(stream):
        yield from _bar(study, forgiving(stream))
    else:
        for number, due in enumerate(study.measurements(), 1):
            print(f"{number} of {len(study.plan)}: {describe(due)}", file=forgiving(stream), flush=True)
            yield due


def _bar(study: "Study", stream: TextIO) -> "Iterator[Measurement]":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    from engine.cli.live.panel import ECHO

    what = TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis"))
    columns = (BarColumn(20), MofNCompleteColumn(), TimeRemainingColumn(), what)
    console = Console(file=stream)
    console.width -= ECHO
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(study.plan))
        for number, due in enumerate(study.measurements()):
            progress.update(task, completed=number, description=describe(due))
            yield due


def describe(due: "Measurement") -> str:
    """Return what is measured now, in words."""
    case = due.case
    many = f"{case.workers} runs without workers side by side"
    who = many if due.side_by_side else f"{case.workers or 'no'} worker{'s' * (case.workers != 1)}"
    return f"round {due.round}, batch {case.batch}, micro-batch {case.microbatch}, {who}"
