"""Places that will not do: empty, too long, closed. A line says so, and what was there before is unharmed."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from engine.data import Dataset, Split, cache
from engine.errors import DataError, RecordsError
from engine.records.database import check_path
from tests.support.command import SMALL, Gradsum, finish, save_data, start

LONG = "x" * 300
PLACES = ("--db", "r.db", "--out", "out")


@pytest.fixture(autouse=True)
def data() -> str:
    return save_data()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--resume", ""], "gradsum: an empty argument after --resume; is a variable not set?"),
        (["train", "--out="], "gradsum: --out is empty; is a variable not set?"),
        (["evaluate", ""], "gradsum: an empty argument after evaluate; is a variable not set?"),
        (["predict", "out", "a.png", ""], "an empty argument after a.png"),
        (["runs", "--db", ""], "an empty argument after --db"),
        ([""], "an empty argument; is"),
    ],
)
def test_an_empty_word_is_not_the_current_folder(gradsum: Gradsum, arguments: list[str], said: str) -> None:
    assert gradsum(*SMALL, "--out", ".", "--db", "r.db", "--steps", 1, "--quiet").code == 0
    answer = gradsum(*arguments)
    assert (answer.code, answer.out, len(answer.err.splitlines())) == (2, "", 1)
    assert said in answer.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--resume", LONG],
        ["train", "--config", LONG],
        ["train", "--data", LONG],
        [*SMALL, "--model", LONG],
        [*SMALL, "--out", LONG],
        [*SMALL, "--out", "out", "--db", LONG],
        ["evaluate", LONG],
        ["runs", "--db", LONG],
        ["inspect", LONG],
    ],
    ids=lambda arguments: " ".join(map(str, arguments[:1] + arguments[-2:-1])),
)
def test_a_name_that_is_too_long(gradsum: Gradsum, arguments: list[object]) -> None:
    answer = gradsum(*arguments)
    assert (answer.code, answer.out) == (2, "")
    last = answer.err.splitlines()[-1]
    assert "File name too long" in last
    assert last.startswith("gradsum: ")
    assert "Traceback" not in answer.err
    assert [path.name for path in Path().iterdir()] == ["data.npz"]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ('out = ""', "out must be a name or path, got ''"),
        ('db = "a\\u0000b"', "db must be a name or path, got 'a\\x00b'"),
        ("batch-size = 5\nbatch_size = 6", "batch-size and batch_size are the same option"),
    ],
)
def test_places_in_a_file(gradsum: Gradsum, config: str, said: str) -> None:
    Path("c.toml").write_text(config)
    answer = gradsum("train", "--config", "c.toml")
    assert (answer.code, answer.err) == (2, f"gradsum: --config c.toml: {said}\n")


@pytest.mark.parametrize("place", ["--out", "--db", "--data", "--model", "--config", "--resume"])
def test_a_closed_folder(gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Root may look into any folder, so the system's refusal is acted."""
    plain = os.stat

    def stat(path: object, *rest: object, **more: object) -> os.stat_result:
        if str(path).find("closed/") >= 0:
            raise PermissionError(13, "Permission denied", str(path))
        return plain(path, *rest, **more)  # type: ignore[arg-type]

    Path("closed").mkdir()
    monkeypatch.setattr(os, "stat", stat)
    if place == "--config":
        plain_read = Path.read_bytes
        monkeypatch.setattr(Path, "read_bytes", lambda path: (stat(path), plain_read(path))[1])
    answer = gradsum(*SMALL, *PLACES, place, "closed/it.npz", "--steps", 1, "--quiet")
    assert (answer.code, answer.out, len(answer.err.splitlines())) == (2, "", 1)
    assert answer.err.startswith("gradsum: ")
    assert "closed/it.npz" in answer.err
    assert "Permission denied" in answer.err


def test_a_database_that_cannot_be_looked_for_is_no_fault_of_the_thread() -> None:
    with pytest.raises(RecordsError, match="cannot be opened: File name too long"):
        check_path(Path(LONG))


def archive(name: str, **arrays: object) -> str:
    np.savez(name, **arrays)  # type: ignore[arg-type]
    return name


def test_labels_that_can_be_no_classes(gradsum: Gradsum) -> None:
    """A list of names for 2^31 classes would take all memory, and for ever."""
    images = np.zeros((20, 8, 8), np.uint8)
    for labels, said in ((np.arange(20) + 2**31 - 20, "2147483647"), (np.arange(20) + 65517, "65536")):
        archive("far.npz", images=images, labels=labels)
        answer = gradsum("train", "--data", "far.npz", "--model", "mlp", "--workers", 0, "--steps", 1)
        assert (answer.code, answer.out) == (2, "")
        assert f"far: label {said} is too large; labels count classes from 0, at most 65536" in answer.err


def test_names_of_classes_that_do_not_fit_into_the_cache() -> None:
    """They would be stored, and then not read by any worker."""
    split = Split(np.zeros((2, 1, 1, 1), np.uint8), np.zeros(2, np.int32))
    with pytest.raises(DataError, match="the names of its 2 classes are too long"):
        cache.store(Dataset("d", ("a", "b" * (1 << 20)), split, split))


@pytest.mark.parametrize(("place", "bit", "said"), [(8, 1, "encrypted"), (10, 99, "compression method")])
def test_archives_that_python_cannot_unpack(gradsum: Gradsum, place: int, bit: int, said: str) -> None:
    """Flags and method of the first file, in the directory and 2 bytes before that in its own header."""
    with zipfile.ZipFile("odd.npz", "w") as file:
        file.writestr("images.npy", b"?")
    content = bytearray(Path("odd.npz").read_bytes())
    for mark, at in ((b"PK\x01\x02", place), (b"PK\x03\x04", place - 2)):
        content[content.find(mark) + at] = bit
    Path("odd.npz").write_bytes(content)
    answer = gradsum("train", "--data", "odd.npz", "--workers", 0)
    assert (answer.code, answer.out) == (2, "")
    assert "Traceback" not in answer.err
    assert said in answer.err.splitlines()[-1]
    assert "odd.npz: not a readable .npz archive" in answer.err


def test_memory_that_ran_out_without_a_word(gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("engine.cli.commands.runs.list_runs", fail)
    assert gradsum("runs").err.startswith("gradsum: there is not enough memory; a smaller")


def test_a_terminal_that_knows_ascii_only(tidy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All is done and saved by the time the summary is printed: it must not end in a traceback."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    answer = finish(start(*SMALL, "--db", "ü.db", "--steps", 1, "--quiet"))
    assert (answer.code, answer.err) == (0, "")
    assert "records     \\xfc.db (run 1, " in answer.out


def test_a_run_with_names_of_many_alphabets(gradsum: Gradsum) -> None:
    folder = Path("übung ﬁ 字")
    folder.mkdir()
    Path("data.npz").rename(folder / "données 数.npz")
    options = ("--data", folder / "données 数.npz", "--db", folder / "r.db", "--out", folder / "aus")
    assert gradsum(*SMALL, *options, "--steps", 2, "--json").json()["data"] == "données 数"
    rest = gradsum("train", "--resume", folder / "aus", "--steps", 3, "--workers", 1, "--json")
    assert (rest.code, rest.json()["steps"]) == (0, 3)
    assert gradsum("evaluate", folder / "aus", "--json").json()["total"] == 12
