"""`gradsum plot` and `gradsum demo` as a person runs them: files that are pictures, and mistakes that are explained."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.cli.commands import plot
from engine.records import Recorder, RunRow
from tests.reports.plots.test_figures import fill
from tests.support.command import SMALL, Answer, Gradsum, save_data
from tests.support.repository import ROOT

MAGIC = {".png": b"\x89PNG\r\n\x1a\n", ".svg": b"<?xml", ".pdf": b"%PDF-"}
KINDS = (  # those that are drawn from a database
    "progress --run 1 2 --x wall",
    "workers --run 1",
    "kernel c2 20 --run 1",
    "filters c1 --run 1",
    "layers --run 1",
    "histogram fc1 --run 1",
    "classes --run 1",
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plots") / "r.db"
    with Recorder(path) as records:
        fill(records)
    return path


@pytest.fixture
def db(written: Path) -> Path:
    """Return a database with runs, in a folder of this test."""
    Path("runs").mkdir()
    return Path(shutil.copy(written, "runs/gradsum.db"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_makes_a_picture_beside_the_database(gradsum: Gradsum, db: Path, kind: str) -> None:
    answer = gradsum("plot", *kind.split())
    assert (answer.code, answer.err) == (0, "")
    path = Path(answer.out.strip())
    assert path.parent == db.parent
    assert path.name.startswith(kind.split(maxsplit=1)[0] + "-")
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert min(image.size) > 300
        assert len(set(np.asarray(image.convert("L")).ravel().tolist())) > 20, "not a blank sheet"


def test_every_kind_of_the_table_is_tried_here() -> None:
    assert {kind.partition(" ")[0] for kind in KINDS} | {"confusion"} == plot.KINDS.keys()


@pytest.mark.parametrize(
    ("kind", "suffix"), [*((KINDS[0], suffix) for suffix in (".png", ".svg", ".pdf", ".PNG")), (KINDS[2], ".svg")]
)
def test_formats_and_the_same_bytes_each_time(gradsum: Gradsum, db: Path, suffix: str, kind: str) -> None:
    contents = []
    for name in ("a", "new/folder/b"):
        path = Path(name + suffix)
        answer = gradsum("plot", *kind.split(), "-o", path)
        assert (answer.code, answer.err, answer.out) == (0, "", f"{path}\n")
        contents.append(path.read_bytes())
    assert contents[0].startswith(MAGIC[suffix.lower()])
    assert contents[0] == contents[1]


def test_a_persons_own_settings_of_matplotlib_change_nothing(gradsum: Gradsum, db: Path) -> None:
    import matplotlib as mpl

    gradsum("plot", *KINDS[0].split(), "--out", "a.png")
    with mpl.rc_context({"figure.dpi": 40, "savefig.facecolor": "black", "lines.linewidth": 9, "font.size": 20}):
        gradsum("plot", *KINDS[0].split(), "--out", "b.png")
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_the_newest_run_is_meant_unless_another_is_named(gradsum: Gradsum) -> None:
    save_data()
    for _ in range(2):
        assert gradsum(*SMALL, "--epochs", 2, "--db", "r.db", "--quiet").code == 0
    answer = gradsum("plot", "progress", "--db", "r.db")
    assert (answer.code, answer.out) == (0, "progress-2.png\n")
    assert gradsum("plot", "workers", "--db", "r.db").out == "workers-2.png\n"


def test_confusion_of_a_checkpoint(gradsum: Gradsum) -> None:
    save_data()
    assert gradsum(*SMALL, "--epochs", 1, "--db", "r.db", "--out", "out", "--quiet").code == 0
    answer = gradsum("plot", "confusion", "out")
    assert (answer.code, answer.err, answer.out) == (0, "", "confusion-out.png\n")
    save_data("two.npz", classes=2)
    answer = gradsum("plot", "confusion", "out/step-00000005.safetensors", "--data", "two.npz")
    assert (answer.code, answer.out) == (0, "out/confusion-step-00000005.png\n")
    assert "trained on other classes" in answer.err


def test_the_hill(gradsum: Gradsum) -> None:
    answer = gradsum("demo", "hill", "-o", "pictures/hill.svg")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "pictures/hill.svg\npictures/hill.gif\n"
    assert Path("pictures/hill.svg").read_bytes().startswith(MAGIC[".svg"])
    with Image.open("pictures/hill.gif") as image:
        assert image.format == "GIF"


Refused = Callable[..., Answer]


@pytest.fixture
def refused(gradsum: Gradsum) -> Refused:
    """Return a function that runs a command which must be refused in one line that has all the `texts`."""

    def call(*arguments: object, texts: tuple[str, ...]) -> Answer:
        answer = gradsum(*arguments)
        assert (answer.code, answer.out) == (2, ""), answer
        assert len(answer.err.splitlines()) == 1
        for text in texts:
            assert text in answer.err
        assert not list(Path().rglob("*.png"))
        return answer

    return call


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        ("plot", ("KIND", "gradsum plot --help")),
        ("plot pie", ("'pie'", "progress")),
        ("plot progress --run", ("--run", "expected at least one argument")),
        ("plot progress --run x", ("there is no run 'x' in database runs/gradsum.db",)),
        ("plot progress --x day", ("--x", "'day'", "wall")),
        ("plot progress --run 7", ("there is no run '7' in database runs/gradsum.db; it has runs 1, 2, 3",)),
        ("plot progress --run 3", ("run 3 has no steps to plot yet",)),
        ("plot progress --db nowhere.db", ("there is no database nowhere.db",)),
        ("plot progress --db runs", ("runs is a folder",)),
        ("plot kernel c2", ("required: INDEX",)),
        ("plot kernel c2 first", ("INDEX", "'first'")),
        ("plot kernel c2 4000 --run 1", ("c2 has no kernel 4000; it has 2048, numbered from 0 to 2047",)),
        ("plot kernel c4 0 --run 1", ("run 1 has no snapshots of a layer 'c4'; layers with kernels: c1, c2, c3",)),
        ("plot filters fc1 --run 1", ("layer fc1 of run 1 has no kernels; those that have are c1, c2, c3",)),
        ("plot filters c1 --run 2", ("run 2 has no snapshots; train with --snapshot-every",)),
        ("plot layers --run 2", ("run 2 has no statistics", "--statistics-every")),
        ("plot progress -o a.jpg", ("--out a.jpg", ".png, .svg, .pdf", ".jpg is not one")),
        ("plot progress -o picture", ("--out picture", "it has none")),
        ("plot confusion nowhere", ("there is no checkpoint file nowhere",)),
        ("demo", ("LESSON",)),
        ("demo hill -o hill.bmp", ("--out hill.bmp", ".bmp is not one")),
        ("bench --plot a.jpg", ("--plot a.jpg", ".jpg is not one")),
    ],
)
def test_mistakes(refused: Refused, db: Path, arguments: str, texts: tuple[str, ...]) -> None:
    refused(*arguments.split(), texts=texts)


def test_a_folder_with_the_name_of_a_picture(gradsum: Gradsum, db: Path) -> None:
    Path("a.svg").mkdir()
    answer = gradsum("plot", "progress", "--run", 1, "-o", "a.svg")
    assert answer.code == 2
    assert "--out a.svg is a folder" in answer.err


def test_a_link_to_a_picture_that_is_not_there_yet_stays_one(gradsum: Gradsum, db: Path) -> None:
    Path("link.png").symlink_to("target.png")
    assert gradsum("plot", "progress", "--run", 1, "--db", db, "--out", "link.png").code == 0
    assert Path("link.png").is_symlink()
    assert Path("target.png").stat().st_size > 1000


def test_a_place_where_nothing_can_be_written(gradsum: Gradsum, db: Path) -> None:
    Path("file").write_text("")
    answer = gradsum("plot", "progress", "--run", 1, "-o", "file/a.png")
    assert answer.code == 2
    assert "--out file/a.png cannot be written: " in answer.err


@pytest.mark.parametrize("command", ["plot progress --run 1 --db r.png", "plot confusion r.png"])
def test_a_picture_never_replaces_what_it_is_drawn_from(gradsum: Gradsum, db: Path, command: str) -> None:
    db.rename("r.png")
    before = Path("r.png").read_bytes()
    Path("link.png").symlink_to("r.png")
    for name in ("r.png", "link.png"):
        answer = gradsum(*command.split(), "-o", name)
        assert (answer.code, answer.out) == (2, "")
        assert f"{name} is the " in answer.err
        assert "itself; name another file" in answer.err
    assert Path("r.png").read_bytes() == before


def test_what_is_not_drawn_leaves_no_folder(gradsum: Gradsum) -> None:
    for command in ("plot progress --db no.db -o new/folder/a.png", "demo hill -o /proc/new/a.png"):
        answer = gradsum(*command.split())
        assert (answer.code, answer.out, len(answer.err.splitlines())) == (2, "", 1)
    assert "--out /proc/new/a.png cannot be written: " in answer.err
    assert not list(Path().iterdir())


def test_databases_without_what_is_wanted(refused: Refused) -> None:
    Recorder("empty.db").close()
    Path("zero.db").touch()
    for name in ("empty.db", "zero.db"):
        refused("plot", "progress", "--db", name, texts=(f"database {name} has no runs yet",))
        refused("plot", "kernel", "c2", 20, "--db", name, texts=("has no runs yet",))
    Path("text.db").write_text("no database " * 100)
    refused("plot", "workers", "--db", "text.db", texts=("text.db is not a SQLite database",))


def test_a_database_of_a_newer_version(refused: Refused) -> None:
    with Recorder("r.db") as records:
        records.begin(RunRow("letters", "letters", "adam", 1e-3, 64, 16, 2, 7))
    connection = sqlite3.connect("r.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for kind in KINDS:
        refused("plot", *kind.split(), "--db", "r.db", texts=("made by a newer version of gradsum",))


def test_without_matplotlib(refused: Refused, db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for arguments in (
        ("plot", "progress"),
        ("plot", "confusion", "out"),
        ("demo", "hill"),
        ("bench", "--plot", "a.svg"),
    ):
        refused(*arguments, texts=("pictures need matplotlib: pip install 'gradsum[plot]'",))


def test_matplotlib_is_loaded_only_for_a_picture() -> None:
    program = """
import sys
from engine.cli import main
for words in (["plot", "--help"], ["plot", "progress", "-o", "a.jpg"], ["runs"], ["demo", "hill", "--help"]):
    try:
        main(words)
    except SystemExit:
        pass
sys.exit("matplotlib" in sys.modules)
"""
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert answer.returncode == 0, answer.stderr
