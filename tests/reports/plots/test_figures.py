"""Figures: what is on their axes and in their lines, not their pixels."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.cm import ScalarMappable
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from engine.errors import RecordsError
from engine.nn.built_in import letters
from engine.records import (
    ClassRow,
    EventRow,
    HistogramRow,
    Place,
    Recorder,
    RunRow,
    Snapshot,
    StatisticsRow,
    TrainingRow,
    ValidationRow,
    WorkerRow,
    places,
)
from engine.reports.plots import confusion, gather, style
from engine.reports.plots.hill import LAST, VALLEY_START, Scene, animation
from engine.reports.plots.landscape import VALLEY

SHAPES = {name: spec.shape for name, spec in letters().layout().specs.items()}
STEPS = (1, 2, 3, 32)
BEGAN = 1_000_000.0


@pytest.fixture(autouse=True)
def in_style() -> Iterator[None]:
    with style.styled():
        yield


def noise(step: int, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng([step, sum(name.encode())])
    values, gradients = rng.standard_normal((2, *SHAPES[name])).astype(np.float32)
    return values, gradients


def training(step: int, seconds: float = 1.0) -> TrainingRow:
    loss = float("nan") if step == 5 else 3.0 / step
    done = seconds * step
    return TrainingRow(step, step / 10, BEGAN + done, done, 2 * done, 10.0 * step, loss, 64, 0.001)


def statistics(step: int, name: str) -> StatisticsRow:
    layer, _, array = name.partition(".")
    return StatisticsRow(step, layer, array, *(0.0, 1.0, -1.0, 1.0, 4.0, 0.0) * 2, *(0.0, 1.0, -1.0, 1.0, 0.004, 0.0))


def histograms(
    step: int, arrays: Mapping[Place, tuple[NDArray[np.float32], NDArray[np.float32]]]
) -> list[HistogramRow]:
    """Return the rows of a snapshot by numpy's own binning."""
    rows = []
    for place, both in arrays.items():
        for what, array in zip(("values", "gradients"), both, strict=True):
            if np.isfinite(array).all():
                counts, edges = np.histogram(array.astype(np.float64), 64)
                row = (edges[0], edges[-1], json.dumps(counts.tolist()))
            else:
                row = (None, None, "[]")
            rows.append(HistogramRow(step, place.name, place.subname, what, *row))
    return rows


def fill(records: Recorder) -> None:
    """Write run 1 (ADAM, two workers, snapshots), run 2 (SGD, serial) and run 3 (nothing)."""
    records.begin(RunRow("letters", "letters", "adam", 1e-3, 64, 16, 2, 7, generated=True))
    for step in range(1, 9):
        records.training(training(step))
    for step in (4, 8):
        row = ValidationRow(step, step / 10, BEGAN + step + 0.5, 2.0 * step, step + 0.5, 60.0, 0.5)
        records.validation(row, [ClassRow(step, k, "ab"[k], 5, 4 + k, 3, 0.6, 3 / (4 + k), None) for k in range(2)])
    for name, at in (("host:1", "12T13:46:40"), ("host:2", "12T13:46:42")):
        records.worker(WorkerRow(name, "host", 1, f"1970-01-{at}+00:00", images=100, seconds=2.0))
    records.event(EventRow("joined", worker="host:1", time=BEGAN))
    records.event(EventRow("lapsed", worker="host:2", time=BEGAN + 3))
    records.event(EventRow("left", worker="host:1", time=BEGAN + 4))
    records.event(EventRow("lost", worker="host:2", time=BEGAN + 5))
    table = places(SHAPES)
    for step in STEPS:
        arrays = {table[name]: noise(step, name) for name in SHAPES}
        records.snapshot(Snapshot(step, arrays, histograms(step, arrays)))
        for name in SHAPES:
            records.statistics(statistics(step, name))
    records.begin(RunRow("letters", "mnist", "sgd", 0.01, 32, 16, 0, 7))
    for step in range(1, 4):
        records.training(training(step, 3600.0))
    records.begin(RunRow("letters", "letters", "adam", 1e-3, 64, 16, 1, 7, generated=True))


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plots") / "r.db"
    with Recorder(path) as records:
        fill(records)
    return path


def x_of(line: Line2D) -> NDArray[np.float64]:
    return np.asarray(line.get_xdata(), np.float64)


def y_of(line: Line2D) -> NDArray[np.float64]:
    return np.asarray(line.get_ydata(), np.float64)


def shown_by(artist: ScalarMappable) -> NDArray[np.float64]:
    array = artist.get_array()
    assert array is not None
    return array


def labels(figure: Figure) -> list[tuple[str, str]]:
    return [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]


def title(figure: Figure) -> str:
    return figure.get_suptitle()


def test_progress_of_one_run(db: Path) -> None:
    figure, name = gather.draw_progress(db, ["1"], "batch")
    assert name == "progress-1"
    assert title(figure) == "letters on generated letters: progress"
    assert labels(figure) == [("", "mean loss of a batch"), ("batches", "correct")]
    above, below = figure.axes
    raw, smooth, seen = above.lines
    np.testing.assert_array_equal(x_of(raw), range(1, 9))
    np.testing.assert_allclose(y_of(raw), [3, 1.5, 1, 0.75, np.nan, 0.5, 3 / 7, 0.375])
    assert len(y_of(smooth)) == 8
    np.testing.assert_array_equal(x_of(seen), [4, 8])
    np.testing.assert_array_equal(y_of(seen), [0.5, 0.5])
    np.testing.assert_array_equal(y_of(below.lines[0]), np.arange(10, 90, 10))
    assert above.get_yscale() == "log"
    assert below.yaxis.get_major_formatter()(50) == "50 %"


@pytest.mark.parametrize(
    ("against", "label", "last"),
    [
        ("epoch", "epochs", 0.3),
        ("wall", "wall-clock time [h]", 3.0),
        ("cpu", "CPU time, all processes [h]", 6.0),
    ],
)
def test_progress_of_two_runs_against_time(db: Path, against: str, label: str, last: float) -> None:
    figure, name = gather.draw_progress(db, ["1", "2"], against)
    assert name == "progress-1-2"
    above, below = figure.axes
    assert below.get_xlabel() == label
    assert len(above.lines) == 6
    assert x_of(above.lines[3])[-1] == pytest.approx(last)
    legend = above.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "adam 0.001, 2 workers, batch 64, letters on generated letters (run 1)",
        "sgd 0.01, no workers, batch 32, letters on mnist (run 2)",
    ]


def test_a_run_named_twice_is_drawn_once(db: Path) -> None:
    figure, name = gather.draw_progress(db, ["2", "2"], "batch")
    assert (name, len(figure.axes[0].lines)) == ("progress-2", 3)


def test_runs_that_went_the_same_way_can_both_be_seen() -> None:
    path = Path("same.db")
    with Recorder(path) as records:
        for workers, last in ((1, 5), (2, 3), (2, 4)):
            records.begin(RunRow("letters", "letters", "adam", 1e-3, 64, 16, workers, 7, generated=True))
            for step in range(1, last + 1):
                loss = 0.7 if (last, step) == (4, 2) else 1 / step
                records.training(training(step, workers * 1.0)._replace(avgloss=loss))
    by_batch, by_time = (gather.draw_progress(path, ["1", "2", "3"], against)[0] for against in ("batch", "wall"))
    # The second is the first as far as it goes, but took twice the time; the third has another loss at step 2.
    assert [line.get_linestyle() for line in by_batch.axes[0].lines[1::3]] == ["-", "--", "-"]
    assert [line.get_linestyle() for line in by_time.axes[0].lines[1::3]] == ["-", "-", "-"]


def test_workers(db: Path) -> None:
    figure, name = gather.draw_workers(db, "1")
    assert name == "workers-1"
    use, there, timeline = figure.axes
    assert [tick.get_text() for tick in there.get_yticklabels()] == ["host:1", "host:2"]
    assert timeline.get_xlabel() == "wall-clock time since the run began [s]"
    assert timeline.get_ylabel() == "step [ms]"
    assert len(use.patches) == 2 * 3, "two workers, three kinds of time"
    # Worker 1 was there for all 8.5 s: 2 s computing, 1 s validating.
    assert [bar.get_width() for bar in use.patches[::2]] == pytest.approx([100 * t / 8.5 for t in (2, 1, 5.5)])  # type: ignore[attr-defined]
    assert "50 images/s while computing, 12 in all" in [text.get_text() for text in use.texts]
    marks = {line.get_label(): list(x_of(line)) for line in there.lines}
    assert marks == {"lapsed": [3.0], "left": [4.0], "lost": [5.0]}
    assert len({line.get_marker() for line in there.lines}) == 3
    assert len(x_of(timeline.lines[0])) == 7
    assert timeline.get_title().startswith("median step 1000.0 ms (64 images/s)")


def test_workers_with_odd_names() -> None:
    path = Path("odd.db")
    with Recorder(path) as records:
        records.begin(RunRow("letters", "letters", "sgd", 1e3, 64, 16, 2, 7))
        for step in (1, 2):
            records.training(training(step))
        for name in (r"$\frac{$:1", "\x1b[2J:2", r"\x1b[2J:2"):
            records.worker(WorkerRow(name, joined="1970-01-12T13:46:40+00:00", images=1, seconds=1.0))
    figure, _ = gather.draw_workers(path, None)
    style.save(figure, Path("a.png"))
    use, there, _ = figure.axes
    for axes in (use, there):
        texts = [tick.get_text() for tick in axes.get_yticklabels()]
        assert sorted(texts) == [r"\$\frac{\$:1", r"\x1b[2J:2", r"\x1b[2J:2"]
    assert len(use.patches) == 3 * 3


def test_a_run_without_workers_has_only_steps(db: Path) -> None:
    figure, _ = gather.draw_workers(db, "2")
    [timeline] = figure.axes
    assert timeline.get_xlabel() == "wall-clock time since the run began [h]"
    np.testing.assert_allclose(y_of(timeline.lines[0]), [3_600_000, 3_600_000])


def test_a_kernel_over_time(db: Path) -> None:
    figure, name = gather.draw_kernel(db, "1", "c2", 20)
    assert name == "kernel-c2-20-1"
    assert "c2, kernel 20 (from input 20 to output 0), at 4 steps" in title(figure)
    above, below, legend, first, last = figure.axes
    assert (above.get_ylabel(), below.get_ylabel(), below.get_xlabel()) == (
        "value less its mean",
        "gradient of the batch",
        "batches",
    )
    values, gradients = (np.array([noise(step, "c2.filter")[i][0, 20] for step in STEPS]) for i in (0, 1))
    assert (len(above.lines), len(below.lines)) == (9, 9)
    for k, (line, slope) in enumerate(zip(above.lines, below.lines, strict=True)):
        one = values.reshape(4, 9)[:, k].astype(float)
        np.testing.assert_array_equal(x_of(line), STEPS)
        np.testing.assert_allclose(y_of(line), one - sum(one) / 4, rtol=1e-12)
        np.testing.assert_array_equal(y_of(slope), gradients.reshape(4, 9)[:, k])
    assert len({line.get_color() for line in above.lines}) == 9
    assert legend.get_title() == "colours by place"
    np.testing.assert_array_equal(first.images[0].get_array(), values[0])
    np.testing.assert_array_equal(last.images[0].get_array(), values[-1])


@pytest.mark.filterwarnings("error")
def test_a_run_that_diverged_can_be_looked_at() -> None:
    path = Path("diverged.db")
    table = places(SHAPES)
    with Recorder(path) as records:
        records.begin(RunRow("letters", "letters", "sgd", 1e3, 64, 16, 2, 7))
        for step, factor in ((1, 1.0), (2, np.inf), (3, np.nan)):
            with np.errstate(invalid="ignore"):
                drawn = {table[n]: noise(step, n) for n in SHAPES}
                arrays = {p: (np.float32(factor) * a, np.float32(factor) * b) for p, (a, b) in drawn.items()}
            records.snapshot(Snapshot(step, arrays, histograms(step, arrays)))
            for name in SHAPES:
                row = statistics(step, name)._replace(values_norm=4 * factor, updates_norm=factor)
                records.statistics(row)
    kernel, _ = gather.draw_kernel(path, None, "c1", 3)
    np.testing.assert_array_equal(np.isfinite(y_of(kernel.axes[1].lines[0])), [True, False, False])
    layers, _ = gather.draw_layers(path, None)
    np.testing.assert_array_equal(np.isfinite(y_of(layers.axes[0].lines[0])), [True, False, False])
    histogram, _ = gather.draw_histogram(path, None, "c1")
    assert [shown_by(axes.collections[0]).shape[1] for axes in histogram.axes[:2]] == [1, 1], "those that are finite"
    for figure in (kernel, layers, histogram, gather.draw_filters(path, None, "c1")[0]):
        style.save(figure, Path("a.png"))
    with Recorder(path) as records:
        records.begin(RunRow("letters", "letters", "sgd", 1e3, 64, 16, 2, 7))
        records.snapshot(Snapshot(1, arrays, histograms(1, arrays)))
    with pytest.raises(RecordsError, match="run 2 has no histogram of finite values of c1"):
        gather.draw_histogram(path, None, "c1")


def test_of_very_many_workers_the_first_are_shown() -> None:
    path = Path("many.db")
    with Recorder(path) as records:
        records.begin(RunRow("letters", "letters", "sgd", 1e3, 64, 16, 200, 7))
        for step in (1, 2):
            records.training(training(step))
        for i in range(200):
            records.worker(WorkerRow(f"host:{i:03}", joined=f"1970-01-12T13:46:40.{i:03}+00:00", images=1, seconds=1.0))
    figure, _ = gather.draw_workers(path, None)
    assert title(figure).endswith("the first 64 of 200 workers")
    assert [tick.get_text() for tick in figure.axes[1].get_yticklabels()][-1] == "host:063"


def test_filters_at_the_first_and_the_last_snapshot(db: Path) -> None:
    figure, name = gather.draw_filters(db, "1", "c1")
    assert name == "filters-c1-1"
    left, right, bar = figure.axes
    assert [axes.get_title() for axes in (left, right)] == ["as initialised (step 1)", "at step 32"]
    assert bar.get_ylabel() == "value"
    for axes, step in ((left, 1), (right, 32)):
        shown = np.ma.filled(shown_by(axes.images[0]), np.nan)
        np.testing.assert_array_equal(shown[:3, 4:7], noise(step, "c1.filter")[0][1, 0])
    assert left.images[0].get_clim() == right.images[0].get_clim(), "one scale for both"


def test_layers(db: Path) -> None:
    figure, name = gather.draw_layers(db, "1")
    assert name == "layers-1"
    assert labels(figure) == [("", "norm of the values"), ("", "norm of the gradient"), ("batches", "update / values")]
    values, _, ratio = figure.axes
    assert [line.get_label() for line in values.lines] == list(SHAPES)
    assert all(axes.get_yscale() == "log" for axes in figure.axes)
    np.testing.assert_allclose(y_of(ratio.lines[0]), [0.001] * 4)


@pytest.mark.parametrize(("given", "array"), [("fc1", "fc1.weights"), ("fc1.bias", "fc1.bias"), ("c3", "c3.filter")])
def test_a_histogram(db: Path, given: str, array: str) -> None:
    figure, name = gather.draw_histogram(db, "1", given)
    assert name == f"histogram-{array}-1"
    assert f"distribution of {array}" in title(figure)
    above, below = figure.axes[:2]
    assert (above.get_ylabel(), below.get_ylabel(), below.get_xlabel()) == ("value", "gradient of the batch", "batches")
    for number, axes in enumerate((above, below)):
        [mesh] = axes.collections
        assert isinstance(mesh, QuadMesh)
        edges = np.asarray(mesh.get_coordinates())[:, 0, 1]
        shares = np.ma.filled(shown_by(mesh), 0)
        assert shares.shape == (len(edges) - 1, len(STEPS))
        for step, share in zip(STEPS, shares.T, strict=True):
            drawn = np.sort(noise(step, array)[number], axis=None).astype(np.float64)
            bins = np.histogram(drawn, 64)[0].max() / drawn.size  # where a value is in its bin is not known
            between = np.searchsorted(drawn, edges[1:]) - np.searchsorted(drawn, edges[0])
            np.testing.assert_allclose(share.cumsum() / 100, between / drawn.size, atol=1.1 * bins + 0.004)


@pytest.mark.parametrize(
    ("draw", "texts"),
    [
        (lambda db: gather.draw_progress(db, ["9"], "batch"), ("no run '9'", "runs 1, 2, 3")),
        (lambda db: gather.draw_progress(db, ["3"], "batch"), ("run 3 has no steps",)),
        (lambda db: gather.draw_workers(db, "3"), ("run 3 has no steps",)),
        (lambda db: gather.draw_kernel(db, "1", "c2", 2048), ("no kernel 2048", "0 to 2047")),
        (lambda db: gather.draw_kernel(db, "1", "c2", -1), ("no kernel -1", "0 to 2047")),
        (lambda db: gather.draw_kernel(db, "1", "c7", 0), ("no snapshots of a layer 'c7'", "c1, c2, c3")),
        (lambda db: gather.draw_kernel(db, "1", "fc1", 0), ("fc1", "no kernels", "c1, c2, c3")),
        (lambda db: gather.draw_kernel(db, "2", "c2", 20), ("run 2 has no snapshots", "--snapshot-every")),
        (lambda db: gather.draw_filters(db, None, "c1"), ("run 3 has no snapshots", "--snapshot-first")),
        (lambda db: gather.draw_layers(db, "2"), ("run 2 has no statistics", "--statistics-every")),
        (
            lambda db: gather.draw_histogram(db, "1", "fc9"),
            ("no snapshots of a layer 'fc9'", "c1, c2, c3, fc1, fc2, fc3"),
        ),
        (lambda db: gather.draw_histogram(db, "2", "fc1"), ("run 2 has no snapshots", "--snapshot-every")),
    ],
)
def test_what_is_not_there_is_said(db: Path, draw: Callable[[Path], gather.Drawing], texts: tuple[str, ...]) -> None:
    with pytest.raises(RecordsError) as caught:
        draw(db)
    for text in texts:
        assert text in str(caught.value)


def test_a_confusion_matrix() -> None:
    chances = np.array([[0.9, 0.1, 0], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]])
    found = confusion.answers(chances, np.array([0, 2, 1, 2], np.int32))
    images = np.arange(4 * 5 * 6, dtype=np.uint8).reshape(4, 5, 6, 1)
    figure = confusion.draw(found, images, ("x", "y", "z"), "a network")
    assert title(figure) == "a network: 3 of 4 right (75.00 %)"
    matrix, first, *rest = figure.axes
    assert (matrix.get_xlabel(), matrix.get_ylabel()) == ("said", "true")
    assert [tick.get_text() for tick in matrix.get_xticklabels()] == ["x", "y", "z"]
    assert {(text.get_position(), text.get_text()) for text in matrix.texts} == {
        ((0, 0), "100"),
        ((1, 1), "100"),
        ((2, 2), "50"),
        ((0, 2), "1"),
    }
    assert first.get_title() == "said x (60 %)\ntrue z"
    np.testing.assert_array_equal(first.images[0].get_array(), images[1, :, :, 0])
    assert not any(axes.images for axes in rest)


def test_outputs_that_are_nan_are_wrong_and_said_to_be() -> None:
    chances = np.array([[np.nan] * 2, [np.nan] * 2, [0.9, 0.1], [0.2, 0.8]])
    found = confusion.answers(chances, np.array([0, 1, 0, 1], np.int32))
    figure = confusion.draw(found, np.zeros((4, 4, 4, 1), np.uint8), ("x", "y"), "a network")
    assert title(figure) == "a network: 2 of 4 right (50.00 %), 2 without an answer (nan)"
    matrix, first, *_ = figure.axes
    assert {(text.get_position(), text.get_text()) for text in matrix.texts} == {((0, 0), "50"), ((1, 1), "50")}
    assert first.get_title() == "said nothing (nan)\ntrue x"


def test_many_classes_and_no_mistake_and_colours() -> None:
    classes = [f"class {k}" for k in range(50)]
    labels = np.arange(50, dtype=np.int32)
    images = np.zeros((50, 4, 4, 3), np.uint8)
    figure = confusion.draw(confusion.answers(np.eye(50), labels), images, classes, "t")
    assert not figure.axes[0].texts, "no room for numbers"
    assert "mistakes" not in [axes.get_ylabel() for axes in figure.axes], "no colours to explain"
    swapped = confusion.answers(np.roll(np.eye(50), 1, axis=1), labels)
    figure = confusion.draw(swapped, images, classes, "t")
    bar = figure.axes[1]
    assert (bar.get_ylabel(), [tick.get_text() for tick in bar.get_yticklabels()]) == ("mistakes", ["1", "2"])
    assert figure.axes[2].images[0].get_array().shape == (4, 4, 3)  # type: ignore[union-attr]


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_images_of_any_number_of_channels(channels: int) -> None:
    images = np.arange(2 * 4 * 6 * channels, dtype=np.uint8).reshape(2, 4, 6, channels)
    swapped = confusion.answers(np.eye(2)[::-1], np.arange(2, dtype=np.int32))
    figure = confusion.draw(swapped, images, "ab", "t")
    style.save(figure, Path("a.png"))
    expected = images[0] if channels in (3, 4) else np.einsum("hwc->hw", images[0].astype(float)) / channels
    np.testing.assert_allclose(np.asarray(figure.axes[1].images[0].get_array()), expected)


def test_names_are_drawn_to_the_letter() -> None:
    swapped = confusion.answers(np.eye(2)[::-1], np.arange(2, dtype=np.int32))
    with mpl.rc_context({"svg.fonttype": "none"}):  # which leaves texts as they are
        figure = confusion.draw(swapped, np.zeros((2, 4, 4, 1), np.uint8), ["$x_1$", "\\$y"], "$\\nope{$ \udcff")
        style.save(figure, Path("a.svg"))
        style.save(progress_of(model="$a$.toml", data="$b$"), Path("b.svg"))
    first, second = (Path(name).read_text() for name in ("a.svg", "b.svg"))
    for text in ("$\\nope{$ \\udcff: 0 of 2 right", ">$x_1$<", ">\\$y<", "said \\$y (100 %)"):
        assert text in first
    assert "$a$.toml on $b$" in second


def progress_of(**names: str) -> Figure:
    """Return the curves of a run of two steps."""
    with Recorder("n.db") as records:
        records.begin(RunRow(names["model"], names["data"], "sgd", 0.1, 8, 4, 0, 1))
        for step in (1, 2):
            records.training(TrainingRow(step, step / 2, BEGAN + step, step, step, 50.0, 1.0, 8, 0.1))
    return gather.draw_progress(Path("n.db"), ["1"], "batch")[0]


def test_the_hill_and_the_valley() -> None:
    scene = Scene()
    hill, steps, valley = scene.figure.axes
    assert [(axes.get_xlabel(), axes.get_ylabel()) for axes in (hill, steps, valley)] == [
        ("x", "height f(x)"),
        ("step", "x"),
        ("x", "y"),
    ]
    for axes, points in ((steps, 61), (valley, 101)):
        assert [len(x_of(line)) for line in axes.lines[:8:2]] == [points] * 4
    scene.show(0)
    trail, ball = valley.lines[:2]
    assert (list(x_of(ball)), list(y_of(ball))) == ([-4.0], [1.5])
    scene.show(5)
    assert len(x_of(trail)) == 6
    assert VALLEY.height(np.array(VALLEY_START)) > 0


def test_the_animation_has_a_frame_a_step() -> None:
    import io

    from PIL import Image

    content = animation()
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.n_frames) == ("GIF", LAST + 1)  # type: ignore[attr-defined]
    assert len(content) < 1_000_000
