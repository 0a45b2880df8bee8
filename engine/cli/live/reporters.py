"""Chooses how a run or a sweep is shown: live in a terminal, lines elsewhere, nothing if quiet."""

from typing import TextIO

from engine.cli.live.lines import Lines, Quiet
from engine.cli.live.trials import QuietSweep, SweepLines
from engine.sweeps.report import SweepReporter
from engine.system.terminal import forgiving, is_live
from engine.training.reporter import Reporter


def reporter_for(stream: TextIO | None, quiet: bool) -> Reporter:
    """Return what shows a run on `stream`, which is None where it is closed."""
    if stream is None:
        return Reporter()
    if quiet:
        return Quiet(forgiving(stream))
    if not is_live(stream):
        return Lines(forgiving(stream))
    from engine.cli.live.panel import Panel

    return Panel(forgiving(stream))


def sweep_reporter_for(stream: TextIO | None, quiet: bool) -> SweepReporter:
    """Return what shows a sweep on `stream`, which is None where it is closed."""
    if stream is None:
        return SweepReporter()
    if quiet:
        return QuietSweep(forgiving(stream))
    if not is_live(stream):
        return SweepLines(forgiving(stream))
    from engine.cli.live.board import Board

    return Board(forgiving(stream))
