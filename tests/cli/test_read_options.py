"""Options of how data is read: from the command line, TOML and Python, kept for resuming, evaluating and sweeps."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import engine
from engine.cli.live.reporters import reporter_for
from engine.cli.read_options import chosen_options
from engine.data import load
from engine.errors import DataError, SettingsError
from engine.training.process import TrainingProcess
from engine.training.reporter import Reporter
from tests.support.command import Gradsum, save_data

RNG = np.random.default_rng(4)
TRAIN = ("train", "--workers", 0, "--batch-size", 8, "--microbatch", 4, "--model", "mlp")
SHORT = ("--steps", 2, "--quiet", "--json")


@pytest.fixture
def photos() -> str:
    """Make pictures of several sizes in folders, one of them damaged."""
    for number in range(24):
        place = Path(f"photos/{'ab'[number % 2]}/{number}.png")
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RNG.integers(0, 256, (6 + number % 3, 8), np.uint8)).save(place)
    Path("photos/a/broken.png").write_bytes(b"\x89PNG and no more")
    return "photos"


@pytest.fixture
def table(photos: str) -> str:
    """Make a table whose columns have unusual names."""
    rows = [f"{'ab'[n % 2]}/{n}.png,{'xy'[n % 2]},{n}" for n in range(24)]
    Path("photos/t.csv").write_text("\n".join(["what,species,label", *rows]))
    return "photos/t.csv"


def test_pictures_are_scaled_and_damaged_ones_left_out(gradsum: Gradsum, photos: str) -> None:
    refused = gradsum(*TRAIN, "--data", photos, *SHORT)
    assert (refused.code, refused.out) == (2, "")
    assert "leave them out with --skip-unreadable" in refused.err
    refused = gradsum(*TRAIN, "--data", photos, "--skip-unreadable", *SHORT)
    assert (refused.code, "such as --size 64" in refused.err) == (2, True)
    options = ("--data", photos, "--size", "6x10", "--skip-unreadable")
    whole = gradsum(*TRAIN, *options, *SHORT, "--steps", 5, "--out", "whole")
    assert whole.code == 0
    assert engine.load_network("whole").model.shape == (6, 10, 1)
    Path("c.toml").write_text('data = "photos"\nsize = [6, 10]\nskip-unreadable = true\n')
    from_file = gradsum(*TRAIN, "--config", "c.toml", *SHORT, "--steps", 5).json()
    result = engine.train(
        "mlp", photos, size=(6, 10), skip_unreadable=True, workers=0, batch_size=8, microbatch=4, steps=5, db="p.db"
    )
    assert whole.json()["params_sha256"] == from_file["params_sha256"] == result.params_sha256


def test_the_options_are_kept(gradsum: Gradsum, table: str) -> None:
    options = ("--data", table, "--size", 6, "--columns", "what,species", "--validation", 0.2)
    whole = gradsum(*TRAIN, *options, *SHORT, "--steps", 6).json()
    gradsum(*TRAIN, *options, *SHORT, "--out", "out")
    resumed = gradsum("train", "--resume", "out", "--steps", 6, "--quiet", "--json")
    assert resumed.json()["params_sha256"] == whole["params_sha256"]
    found = gradsum("evaluate", "out", "--json")
    assert (found.code, found.json()["percent"]) == (0, resumed.json()["validation"]["percent"])
    assert gradsum("plot", "confusion", "out", "--out", "c.png").code == 0
    refused = gradsum("train", "--resume", "out", "--steps", 9, "--size", 7)
    assert (refused.code, "7x7" in refused.err) == (2, True), refused.err
    other = gradsum("evaluate", "out", "--data", "photos", "--size", 6, "--skip-unreadable", "--json")
    assert (other.code, other.json()["data"]) == (0, "photos")
    assert "such as --size 64" in gradsum("evaluate", "out", "--data", "photos", "--skip-unreadable").err


def test_a_resumed_sweep_reads_its_data_as_before(gradsum: Gradsum) -> None:
    rows = [f"{n % 5},{n % 5 / 2},{n % 2}" for n in range(30)]
    Path("t.csv").write_text("\n".join(["a,b,c", *rows]))
    sweep = (
        "--over",
        "lr=0.01,0.02,0.04",
        "--sampler",
        "grid",
        "--workers",
        0,
        "--steps",
        3,
        "--db",
        "s.db",
        "--quiet",
    )
    options = ("--data", "t.csv", "--target-column", "c", "--task", "regression")
    first = gradsum("sweep", *sweep, *options, "--trials", 2, "--json")
    assert (first.code, len(first.json()["trials"])) == (0, 2)
    assert first.json()["records_bytes"] > 1000
    assert "(sweep 1, " in first.out
    again = gradsum("sweep", "--resume", 1, "--trials", 3, "--db", "s.db", "--quiet", "--json")
    assert (again.code, len(again.json()["trials"])) == (0, 3)
    assert again.json()["records_bytes"] > first.json()["records_bytes"]
    assert gradsum("sweep", "--resume", 1, "--task", "regression", "--db", "s.db", "--quiet").code == 0
    for option in (("--task", "classification"), ("--target-column", "a"), ("--size", 4)):
        refused = gradsum("sweep", "--resume", 1, "--db", "s.db", *option)
        assert (refused.code, "cannot change when a sweep is resumed" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--size", "big"), "size must be a number of pixels, such as 64, or 48x64"),
        (("--size", "3x4x5"), "size must be a number of pixels"),
        (("--size", "0"), "size must be a number of pixels, or (height, width), each from 1 to"),
        (("--size", "64x99999"), "each from 1 to 16384, got (64, 99999)"),
        (("--size", "-4"), "size must be a number of pixels"),
        (("--columns", "one"), "columns must be the names of the columns of pictures and of labels"),
        (("--columns", "a,b,c"), "columns must be the names"),
        (("--columns", "a,"), "columns must be the names"),
        (("--columns", "a,b"), "columns are for CSV and parquet files"),
    ],
)
def test_what_cannot_be_is_refused(gradsum: Gradsum, photos: str, options: tuple[str, str], said: str) -> None:
    answer = gradsum(*TRAIN, "--data", photos, *SHORT, f"{options[0]}={options[1]}")
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert not list(Path.cwd().glob("**/*.safetensors")), "nothing is left"


def test_arrays_have_no_use_for_them(gradsum: Gradsum) -> None:
    for option in (("--size", 4), ("--skip-unreadable",), ("--columns", "a,b")):
        answer = gradsum(*TRAIN, "--data", save_data(), *SHORT, *option)
        name = option[0].removeprefix("--")
        assert (answer.code, f"{name} is for pictures, and this data set holds arrays" in answer.err) == (2, True)
    data = load("data.npz")
    for given in ({"size": 4}, {"classes": ["a"]}, {"task": "regression"}, {"skip_unreadable": True}):
        with pytest.raises(DataError, match="data is a Dataset, which was read already"):
            load(data, **given)


@pytest.mark.parametrize(
    "line",
    ["size = true", "size = 1.5", "size = [1, 2, 3]", 'columns = ["a"]', "columns = 3", 'skip-unreadable = "yes"'],
)
def test_a_file_with_something_else_is_refused(gradsum: Gradsum, line: str) -> None:
    Path("c.toml").write_text(line)
    answer = gradsum(*TRAIN, "--config", "c.toml", *SHORT)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"gradsum: --config c.toml: {line.split(maxsplit=1)[0]} must be")


def test_every_way_to_write_them() -> None:
    for size, read in (("64", 64), (64, 64), ("48x64", (48, 64)), ("48X64", (48, 64)), ([48, 64], (48, 64))):
        assert chosen_options({"size": size, "data": "x"}) == {"size": read}
    assert chosen_options({"columns": " a , b"}) == chosen_options({"columns": ["a", "b"]}) == {"columns": ("a", "b")}
    with pytest.raises(SettingsError, match="got 'a b'"):
        chosen_options({"columns": "a b"})


def test_names_of_classes_for_arrays() -> None:
    x, y = RNG.integers(0, 256, (12, 4, 4), np.uint8), np.arange(12) % 2
    result = engine.train("mlp", (x, y), classes=["ant", "bee"], workers=0, steps=1, db="r.db")
    assert result.network.classes == ("ant", "bee")


def test_conversion_is_shown_in_few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    stream = io.StringIO()
    shown = reporter_for(stream, quiet=False)
    for done in range(1, 13):
        now = float(done)
        shown.converting("converting pictures", done * 1000, 12000)
    assert stream.getvalue().splitlines() == [
        "converting pictures: 5,000 of 12,000",
        "converting pictures: 10,000 of 12,000",
    ]


class Watching(Reporter):
    """Keeps what is reported of a conversion, and interrupts the process at the first report if it is to."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int, int]] = []

    def converting(self, what: str, done: int, total: int) -> None:
        if "pictures" in what:  # and not of kernels that are compiled
            self.seen.append((what, done, total))


def test_a_run_reports_what_is_converted(photos: str) -> None:
    Path("photos/a/broken.png").unlink()
    options: dict[str, Any] = {"workers": 0, "steps": 1, "size": 6, "db": "r.db"}
    first, second = Watching(), Watching()
    engine.train("mlp", photos, reporter=first, **options)
    assert first.seen[0] == ("looking at pictures", 24, 24)
    assert first.seen[-1] == ("converting pictures", 24, 24)
    engine.train("mlp", photos, reporter=second, **options)
    assert second.seen == [], "the second run finds them in the cache"


def test_a_conversion_can_be_interrupted(photos: str) -> None:
    with TrainingProcess(Reporter()) as process, pytest.raises(KeyboardInterrupt):
        process.interrupt.requested = "SIGINT"
        load(photos, size=6, progress=process.converting)
    assert not list(Path.cwd().glob("**/*.safetensors"))
