"""Figures of very short runs, of very many classes and of very large numbers: what they show, not their pixels."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from engine.compute.tally import MAX_TALLIED
from engine.errors import RecordsError
from engine.records import Recorder, RunRow, Snapshot, ValidationRow, WorkerRow, places, reading, snapshots
from engine.reports.plots import confusion, gather, lettering, style
from engine.reports.plots.lettering import fitted, width
from tests.reports.plots.test_figures import BEGAN, SHAPES, fill, histograms, noise, statistics, training

RUN = RunRow("letters", "letters", "sgd", 0.1, 64, 16, 0, 7)


@pytest.fixture
def db() -> Path:
    with Recorder(Path("filled.db")) as records:
        fill(records)
    return Path("filled.db")


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


@pytest.mark.parametrize(
    ("percent", "r2", "why"),
    [(None, None, "not validated"), (None, 0.5, "predicts values"), (50.0, None, "at most 128 outputs")],
)
def test_why_classes_were_not_counted(percent: float | None, r2: float | None, why: str) -> None:
    path = Path("r.db")
    with Recorder(path) as records:
        records.begin(RUN)
        if percent is not None or r2 is not None:
            records.validation(ValidationRow(1, 0.1, BEGAN, 1.0, 1.0, percent, 0.5, r2=r2))
    assert gather.MOST_COUNTED == MAX_TALLIED
    with pytest.raises(RecordsError, match=f"run 1 has no counts of its classes: .*{why}"):
        gather.draw_classes(path, None)


@pytest.mark.parametrize(("every", "what"), [(32, "every 32 steps: train for longer"), (0, "train with --stat")])
def test_why_there_are_no_statistics(every: int, what: str) -> None:
    path = Path("r.db")
    with Recorder(path) as records:
        records.begin(replace(RUN, settings={"statistics_every": every}))
    with pytest.raises(RecordsError, match=f"run 1 has no statistics of its layers; .*{what}"):
        gather.draw_layers(path, None)


def test_a_run_of_a_single_step() -> None:
    path = Path("r.db")
    table = places(SHAPES)
    with Recorder(path) as records:
        records.begin(RUN)
        records.training(training(1))
        records.snapshot(Snapshot(1, {table[name]: noise(1, name) for name in SHAPES}, []))
    progress, _ = gather.draw_progress(path, ["1"], "batch")
    above = progress.axes[0]
    assert above.lines[1].get_marker() == "D", "one point makes no line"
    progress.draw_without_rendering()
    ticks = [tick.get_text() for tick in (*above.get_yticklabels(), *above.get_yticklabels(minor=True))]
    assert any(ticks)
    assert not any("^" in tick for tick in ticks), "3, not 3 x 10^0"
    [timeline] = gather.draw_workers(path, None)[0].axes
    assert (timeline.get_title(), timeline.get_ylabel()) == ("how long the steps took is not known", "step [ms]")
    kernels, bar = gather.draw_filters(path, None, "c1")[0].axes
    assert (kernels.get_title(), bar.get_ylabel()) == ("as initialised (step 1)", "value")


def test_legends_are_where_no_curve_can_be(db: Path) -> None:
    figure, _ = gather.draw_progress(db, ["1"], "batch")
    figure.draw_without_rendering()
    kinds, below = figure.legends[0].get_window_extent(), figure.axes[1].get_window_extent()
    assert kinds.y1 < below.y0


def mistaken(classes: list[str]) -> Figure:
    """Return the picture of a network that takes each class for the next one."""
    labels = np.arange(len(classes), dtype=np.int32)
    found = confusion.answers(np.roll(np.eye(len(classes)), 1, axis=1), labels)
    figure = confusion.draw(found, np.zeros((len(classes), 4, 4, 1), np.uint8), classes, "t")
    figure.draw_without_rendering()
    return figure


def boxes(texts: list[Text]) -> list[Bbox]:
    renderer = RendererAgg(1, 1, 110)
    return [text.get_window_extent(renderer) for text in texts if text.get_text()]


def apart(places: list[Bbox]) -> bool:
    return not any(a.overlaps(b) for i, a in enumerate(places) for b in places[i + 1 :])


@pytest.mark.parametrize("count", [5, 40, 62, 100, 150, 1000])
def test_names_of_very_many_classes_are_apart(count: int) -> None:
    matrix: Axes = mistaken([f"class number {k} with a rather long name" for k in range(count)]).axes[0]
    for labels in (matrix.get_xticklabels(), matrix.get_yticklabels()):
        assert apart(boxes(labels))
    assert matrix.get_window_extent().width > 330, "names leave the matrix three inches"


@pytest.mark.parametrize("name", ["<b>&dog</b>#1", "W" * 40, "ill", "$x_1$ and $x_2$ and more"])
def test_titles_of_mistakes_are_apart(name: str) -> None:
    tiles = [axes for axes in mistaken([f"{name} {k}" for k in range(4)]).axes[1:] if axes.get_title()]
    assert len(tiles) == 4
    assert apart(boxes([axes.title for axes in tiles]))


@pytest.mark.filterwarnings("error")
def test_characters_that_no_font_has_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lettering, "_MORE", ())
    with style.styled():
        figure = mistaken(["猫é", "$dog"])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["\\u732bé", r"\$dog"]


def test_a_font_that_has_more_characters_is_used_if_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lettering.families()[0] == "DejaVu Sans"
    monkeypatch.setattr(lettering, "_MORE", ("no such font", "STIXGeneral"))
    assert lettering.families() == ["DejaVu Sans", "STIXGeneral"]
    with style.styled():
        assert lettering.literal("⅊") == "⅊", "a sign of STIXGeneral that DejaVu Sans lacks"


def test_a_long_name_keeps_both_its_ends() -> None:
    assert fitted("short", 90, 8) == "short"
    long = fitted("a class with quite a long name 17", 90, 8)
    assert long.startswith("a class")
    assert long.endswith("17")
    assert width(long, 8) <= 90


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("factor", [1e3, 1e26, 3e38])
def test_a_kernel_of_very_large_values(factor: float) -> None:
    path = Path("r.db")
    table = places(SHAPES)
    with Recorder(path) as records:
        records.begin(RUN)
        for step, scale in ((1, 1.0), (2, factor)):
            ones = {name: np.sign(noise(step, name)[0]) * np.float32(scale) for name in SHAPES}
            arrays = {table[name]: (array, array) for name, array in ones.items()}
            records.snapshot(Snapshot(step, arrays, histograms(step, arrays)))
    with reading(path) as connection:
        moved = snapshots.moved_most(connection, 1, "c1.filter")
    figure, _ = gather.draw_kernel(path, None, "c1", moved)
    for drawn in (figure, gather.draw_filters(path, None, "c1")[0]):
        style.save(drawn, Path("a.png"))
    last = figure.axes[-1]
    assert last.get_window_extent().width > 80, "long numbers leave no room for the kernel"
    numbers = boxes(list(last.texts))
    assert len(numbers) == 9
    assert apart(numbers)


def test_samples_of_a_table_are_rows() -> None:
    path = Path("r.db")
    with Recorder(path) as records:
        records.begin(replace(RUN, parts="trains with 2,000 rows, chooses by the other part, 50; none is left"))
        for step in (1, 2):
            records.training(training(step))
        records.worker(WorkerRow("host:1", joined="1970-01-12T13:46:40+00:00", images=10, seconds=1.0))
    figure, _ = gather.draw_workers(path, None)
    use, _, timeline = figure.axes
    assert "10 rows/s while computing" in use.texts[0].get_text()
    assert "(64 rows/s)" in timeline.get_title()
