"""Figures of very short runs, of very many classes and of very large numbers: what they show, not their pixels."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.records import Recorder, RunRow
from engine.reports.plots import gather, style
from tests.reports.plots.test_figures import SHAPES, statistics

RUN = RunRow("letters", "letters", "sgd", 0.1, 64, 16, 0, 7)


@pytest.fixture(autouse=True)
def in_style() -> Iterator[None]:
    with style.styled():
        yield


def test_statistics_of_a_single_step_are_seen() -> None:
    path = Path("r.db")
    with Recorder(path) as records:
        records.begin(RUN)
        for name in SHAPES:
            records.statistics(statistics(32, name))
    figure, _ = gather.draw_layers(path, None)
    for axes in figure.axes:
        assert {line.get_marker() for line in axes.lines[: len(SHAPES)]} == {"o"}, "one point makes no line"
