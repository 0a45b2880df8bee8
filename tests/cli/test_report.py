"""`gradsum report` of real runs: what is there is drawn, what is not is said, and nothing is asked of the network."""

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from engine.checkpoint import load
from engine.cli import picture_options, report_pictures
from engine.records import list_runs
from tests.support.command import SMALL, Gradsum, finish, save_data, start, wait_for, wait_for_end
from tests.support.leaks import processes
from tests.support.pages import Page

CONVOLUTION = """
[[layers]]
type = "Conv2d"
filters = 6
kernel = 3
[[layers]]
type = "Conv2d"
filters = 3
kernel = 3
[[layers]]
type = "Flatten"
[[layers]]
type = "Dense"
features = 3
"""
HOSTILE = "<script>alert('\"&amp;$title')</script>"


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw with few dots, which is faster."""
    monkeypatch.setattr(report_pictures, "SHARPNESS", 30)


@pytest.fixture
def one_core() -> Iterator[None]:
    """Let this process use one core, so that it draws by itself."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    yield
    os.sched_setaffinity(0, cores)


def page(path: str) -> Page:
    return Page(Path(path).read_text(encoding="utf-8"))


def test_a_run_with_everything(gradsum: Gradsum, one_core: None) -> None:
    save_data()
    Path("m.toml").write_text(CONVOLUTION)
    kept = ("--snapshot-every", 2, "--statistics-every", 1, "--name", HOSTILE, "--workers", 1)
    assert gradsum(*SMALL, "--model", "m.toml", "--steps", 12, "--db", "r.db", "--quiet", *kept).code == 0
    answer = gradsum("report", 1, "--db", "r.db")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == f"run-1.html: {Path('run-1.html').stat().st_size / 1000:.3g} kB\n"
    found = page("run-1.html")
    assert found.descriptions == [
        "loss and percent correct",
        "all kernels of c1",
        *(f"kernel {moved} of {layer} over time, the one that moved most" for layer, moved in most_moved().items()),
        "the norms of every layer",
        *(f"the values of {name}" for name in ("c1.filter", "c2.filter", "fc1.weights")),
        "what is taken for what",
        "what each worker did, and how long steps took",
    ]
    assert all(picture.std() > 5 for picture in found.pictures), "there is something on every picture"
    assert f"run 1: {HOSTILE}" in found.texts
    run = list_runs("r.db")[0]
    for row in (["snapshot_every", "2"], ["uuid", run["uuid"]], ["numpy", run["versions"]["numpy"]]):
        assert row in found.rows
    assert "No picture" not in found.text


def most_moved() -> dict[str, int]:
    """Return the kernel of each layer that moved most, by plain SQL on the view `data`."""
    sql = """
        SELECT a.name, a.idx FROM data a JOIN data b USING (startID, name, subname, idx, row, col)
        WHERE a.subname = 'filter' AND a.name = ? AND a.batchno = (SELECT min(batchno) FROM data)
        AND b.batchno = (SELECT max(batchno) FROM data)
        GROUP BY a.idx ORDER BY sum((a.val - b.val) * (a.val - b.val)) DESC LIMIT 1
    """
    with closing(sqlite3.connect("r.db")) as connection:
        return dict(connection.execute(sql, (layer,)).fetchone() for layer in ("c1", "c2"))


def test_what_is_not_there_is_said_in_a_line(gradsum: Gradsum) -> None:
    save_data()
    nothing = ("--snapshot-every", 0, "--snapshot-first", 0, "--statistics-every", 0, "--out", "out")
    assert gradsum(*SMALL, "--steps", 3, "--db", "r.db", "--quiet", *nothing).code == 0
    Path("out/step-00000003.safetensors").unlink()
    assert gradsum("report", 1, "--db", "r.db", "-o", "page.html").code == 0
    found = page("page.html")
    assert found.descriptions == ["loss and percent correct", "what each worker did, and how long steps took"]
    for said in (
        "No pictures of kernels: the run has no snapshots of a convolution (train --snapshot-every).",
        "No picture of the norms of every layer: run 1 has no statistics of its layers; train with --statistics-every.",
        f"No picture of what is taken for what: folder {Path('out').absolute()} has no checkpoint; "
        "looked for step-*.safetensors.",
        "The run had no workers: one process computed everything.",
    ):
        assert said in found.texts


def test_data_that_left_the_cache_and_checkpoints_of_another_run(
    gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch, one_core: None
) -> None:
    save_data()
    for folder in ("one", "two"):
        assert gradsum(*SMALL, "--steps", 1, "--db", "r.db", "--quiet", "--out", folder).code == 0
    Path("one").rename("three")
    Path("two").rename("one")
    assert gradsum("report", 1, "--db", "r.db").code == 0
    assert f"the checkpoints in {Path('one').absolute()} are another run's" in page("run-1.html").text
    Path("one").rename("two")
    monkeypatch.setenv("GRADSUM_CACHE", str(Path("empty").absolute()))
    assert gradsum("report", 2, "--db", "r.db").code == 0
    assert "not in the cache; load the data set again" in page("run-2.html").text


def test_a_run_that_diverged(gradsum: Gradsum, one_core: None) -> None:
    save_data()
    answer = gradsum(*SMALL, "--steps", 3, "--db", "r.db", "--quiet", "--lr", 1e30)
    assert answer.code == 1, "it diverges"
    assert gradsum("report", 1, "--db", "r.db").code == 0
    found = page("run-1.html")
    assert "failed" in found.texts
    assert any("DivergedError: step" in said for said in found.texts)


def test_a_killed_run(gradsum: Gradsum, tidy: Path) -> None:
    save_data()
    options = ("--steps", 1 << 30, "--db", "r.db", "--out", "out", "--workers", 1, "--checkpoint-every", 1)
    process = start(*SMALL, *options)
    wait_for(process.stderr, "validation after step 10:")
    assert gradsum("rm", 1, "--db", "r.db").code == 2
    assert gradsum("show", 1, "--db", "r.db").out.startswith("run 1  running")
    others = [pid for pid in processes(tidy.name) if pid != process.pid]
    process.kill()
    assert finish(process).code == -signal.SIGKILL
    assert wait_for_end(others) == []
    assert gradsum("report", 1, "--db", "r.db").code == 0
    found = page("run-1.html")
    assert "interrupted" in found.texts
    assert any("its process was killed or crashed" in said for said in found.texts)
    assert "what is taken for what" in found.descriptions
    [worker] = [row for row in found.rows if len(row) == 10 and row[0] != "worker"]
    assert int(worker[7].replace(",", "")) >= 8 * (load(Path("out")).step - 1), "images, as of the last checkpoint"
    assert gradsum("rm", 1, "--db", "r.db").code == 0
    assert (list_runs("r.db"), Path("out").exists()) == ([], False)


def test_data_whose_name_is_neither_unicode_nor_plain(gradsum: Gradsum, one_core: None) -> None:
    name = os.fsdecode(b"\xff$\\nope{$.npz")
    Path(save_data()).rename(name)
    arguments = (*SMALL, "--data", name, "--steps", 6, "--db", "r.db", "--out", "out")
    assert finish(start(*arguments, text=False)).code == 0  # it prints the name as it is: bytes
    answer = gradsum("report", 1, "--db", "r.db")
    assert (answer.code, answer.err) == (0, "")
    assert {"loss and percent correct", "what is taken for what"} < set(page("run-1.html").descriptions)
    answer = gradsum("plot", "confusion", "out")
    assert (answer.code, answer.err, answer.out) == (0, "", "confusion-out.png\n")


def test_where_a_page_cannot_go(gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch, one_core: None) -> None:
    save_data()
    assert gradsum(*SMALL, "--steps", 1, "--db", "r.db", "--quiet").code == 0
    before = Path("r.db").read_bytes()
    Path("other.db").write_bytes(before)
    [checkpoint] = Path().rglob("step-*.safetensors")
    for path, words in (
        (".", "the page . is a folder; name a file in it"),
        ("no/page.html", "the page no/page.html cannot be written: the folder"),
        ("r.db", "r.db is the database itself; name another file"),
        ("other.db", "the page other.db would replace a database; name another file"),
        (checkpoint, f"the page {checkpoint} would replace a checkpoint; name another file"),
        ("page.pdf", "the page page.pdf must end in .html; .pdf is another"),
        ("/dev/full", "the page /dev/full cannot be written: No space left"),
    ):
        answer = gradsum("report", 1, "--db", "r.db", "-o", path)
        assert (answer.code, answer.out) == (2, "")
        assert words in answer.err
        assert answer.err.count("\n") == 1
    assert Path("r.db").read_bytes() == before
    monkeypatch.setattr(picture_options, "find_spec", lambda _: None)
    answer = gradsum("report", 1, "--db", "r.db")
    assert answer.code == 2
    assert "pip install 'gradsum[plot]'" in answer.err
