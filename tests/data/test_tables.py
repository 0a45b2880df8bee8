"""CSV files and parquet files of pictures."""

import builtins
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engine.data import Dataset, load
from engine.errors import DataError

RNG = np.random.default_rng(21)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADSUM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def picture(first: int) -> NDArray[np.uint8]:
    pixels = RNG.integers(0, 256, (4, 5), np.uint8)
    pixels[0, 0] = first
    return pixels


def encoded(first: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture(first)).save(file, "PNG")
    return file.getvalue()


def pictures(count: int, folder: str = "d/pics") -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Path(f"{folder}/{number}.png").write_bytes(encoded(number))


def csv(text: str, name: str = "d/labels.csv", encoding: str = "utf-8") -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(text.encode(encoding))
    return name


def firsts(data: Dataset) -> tuple[list[int], list[int]]:
    return tuple(part.images[:, 0, 0, 0].tolist() for part in (data.train, data.test))


LINES = [f"pics/{number}.png,{'cat' if number % 2 else 'dog'}" for number in range(12)]


def test_a_csv_file_names_pictures_relative_to_itself() -> None:
    pictures(12)
    data = load(csv("file,label\n" + "\n".join(LINES)))
    assert (data.name, data.classes, data.shape) == ("labels", ("cat", "dog"), (4, 5, 1))
    train, test = firsts(data)
    assert (len(train), sorted(train + test)) == (10, list(range(12)))
    assert train == sorted(train)
    assert [data.classes[k] for k in data.train.labels] == ["cat" if number % 2 else "dog" for number in train]
    assert "held out a sixth of each class for testing: 2 of 12, the same ones every time" in data.notes


@pytest.mark.parametrize(
    "head", ["image,class", "Filename,Label", "label_of_it,path", "path,species", "id,img,category", "x,file,y"]
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_other_names_and_delimiters(head: str, delimiter: str) -> None:
    pictures(4)
    columns = head.split(",")
    image = next(n for n, c in enumerate(columns) if c.lower() in ("image", "filename", "path", "img", "file"))
    lines = []
    for number in range(4):
        cells = ["9"] * len(columns)
        label = 1 - image if len(columns) == 2 else 2
        cells[image], cells[label] = f"pics/{number}.png", f"c{number % 2}"
        lines.append(delimiter.join(cells))
    text = "\r\n".join([head.replace(",", delimiter), *lines, "", ""])
    assert load(csv(text, encoding="utf-8-sig")).classes == ("c0", "c1")


def test_a_column_may_say_the_part() -> None:
    pictures(6)
    parts = ["Train", "test", "training", "train", "TEST", "train"]
    lines = [f"pics/{n}.png,{n % 2},{part}" for n, part in enumerate(parts)]
    assert firsts(load(csv("file,label,split\n" + "\n".join(lines)))) == ([0, 2, 3, 5], [1, 4])
    lines[2] = "pics/2.png,0,val"
    data = load(csv("file,label,split\n" + "\n".join(lines)))
    assert firsts(data) == ([0, 3, 5], [1, 4])
    assert data.validating.images[:, 0, 0, 0].tolist() == [2]
    lines[0], lines[1], lines[4] = "pics/0.png,0,valid", "pics/1.png,-1,test", "pics/4.png,-1,test"
    lines[5] = "pics/5.png,0,train"
    data = load(csv("file,label,split\n" + "\n".join(lines)))
    assert firsts(data) == ([3, 5], [0])
    assert data.validation is None
    assert "not read: val, beside train and valid and test" in data.notes
    assert "not read: test, where every label is -1, with which nothing is trained" in data.notes


def test_numbers_are_classes_in_their_order() -> None:
    pictures(6)
    lines = [f"pics/{n}.png,{(10, 9, 2)[n % 3]}" for n in range(6)]
    assert load(csv("file,label\n" + "\n".join(lines))).classes == ("2", "9", "10")
    lines[0] = "pics/0.png,010"
    assert load(csv("file,label\n" + "\n".join(lines))).classes == ("2", "9", "010", "10")


def test_columns_can_be_chosen() -> None:
    pictures(4)
    lines = [f"pics/{n}.png,{n % 2},{n // 2}" for n in range(4)]
    path = csv("file,label,target\n" + "\n".join(lines))
    with pytest.raises(
        DataError, match=r"unclear which of the columns file, label, target .*--columns picture,species"
    ):
        load(path)
    data = load(path, columns=("file", "target"))
    assert data.train.labels.tolist() == [number // 2 for number in firsts(data)[0]]
    with pytest.raises(DataError, match="no column 'x'; there are file, label, target"):
        load(path, columns=("file", "x"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty; the first line must name the columns"),
        ("file,label\n", "no lines after the first"),
        ("file,label\na.png\n", "line 2 has 1 columns, the first line has 2"),
        ("file,label\na.png,x\nb.png,\n", "line 3 has no label"),
        ("file,label\n,x\n", "line 2 has no file"),
        ("file,label,split\na.png,x,other\n", "line 2: the part 'other' is not train, validation or test"),
        ("file,label,split\na.png,x,test\n", "there are test samples but none to train with"),
        ("file,label,split\na.png,x,train\nb.png,y,test\n", "label y at index 0 of the test part does not occur"),
        ("a.png,x\nb.png,y\n", "unclear which of the columns a.png, x"),
        ('file,label\n"a.png,x\n', "line 2 has 1 columns"),
    ],
)
def test_a_csv_file_that_does_not_fit_is_refused(text: str, reason: str) -> None:
    with pytest.raises(DataError, match=rf"^d/labels\.csv: .*{reason}"):
        load(csv(text))


@pytest.mark.parametrize("columns", [None, ("file", "label")])  # if they are named, it holds no features
def test_what_is_no_csv_file_is_refused(columns: tuple[str, str] | None) -> None:
    with pytest.raises(DataError, match=r"not a text in UTF-8 \(invalid continuation byte at byte 13\)"):
        load(csv("file,label\na,\xe9é\n", encoding="latin-1"), columns=columns)
    with pytest.raises(DataError, match="not a CSV file"):
        load(csv("file,label\n" + "x" * 200_000 + ",y\n"), columns=columns)


def test_missing_pictures_are_listed_together() -> None:
    pictures(11)
    path = csv("file,label\n" + "\n".join([*LINES, "/nowhere/x.png,dog"]))
    with pytest.raises(
        DataError, match=r"of 13 pictures, 2 .*\n  d/pics/11\.png does not exist\n  /nowhere/x\.png does"
    ):
        load(path)
    assert len(load(path, skip_unreadable=True).train) == 9


def test_a_csv_file_is_read_again_once_it_changes() -> None:
    pictures(12)
    seen: list[str] = []

    def classes() -> tuple[str, ...]:
        seen.clear()
        return load("d/labels.csv", progress=lambda what, *_: seen.append(what)).classes

    csv("file,label\n" + "\n".join(LINES))
    assert classes() == ("cat", "dog")
    assert seen
    assert (classes(), seen) == (("cat", "dog"), [])
    csv("file,label\n" + "\n".join(LINES).replace("cat", "cow"))
    assert classes() == ("cow", "dog")


# Hugging Face writes this into the metadata of the schema.
FEATURES = {"image": {"_type": "Image"}, "label": {"names": ["zebra", "ape"], "_type": "ClassLabel"}}


def parquet(path: str, numbers: range, names: bool = True, image: str = "image", **columns: Any) -> None:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as files

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    cells = [{"bytes": encoded(number), "path": f"{number}.png"} for number in numbers]
    table = arrow.table({image: cells, "label": [number % 2 for number in numbers]} | columns)
    if names:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": FEATURES}})})
    files.write_table(table, path, row_group_size=5)


def test_one_parquet_file_is_cut(own_cache: Path) -> None:
    parquet("set.parquet", range(24))
    data = load("set.parquet")
    assert (data.name, data.classes, data.shape) == ("set", ("zebra", "ape"), (4, 5, 1))
    train, test = firsts(data)
    assert (len(train), len(test), sorted(train + test)) == (20, 4, list(range(24)))
    assert data.train.labels.tolist() == [number % 2 for number in train]
    calls: list[object] = []
    load("set.parquet", progress=lambda *report: calls.append(report))
    assert not calls


@pytest.mark.parametrize("below", ["", "data/"])
def test_a_folder_of_parquet_files_has_parts(below: str) -> None:
    parquet(f"set/{below}train-00000-of-00002.parquet", range(7))
    parquet(f"set/{below}train-00001-of-00002.parquet", range(7, 20))
    parquet(f"set/{below}validation-00000-of-00001.parquet", range(20, 25))
    parquet(f"set/{below}test-00000-of-00001.parquet", range(30, 33))
    data = load("set")
    assert data.name == "set"
    assert firsts(data) == (list(range(20)), list(range(30, 33)))
    assert data.validating.images[:, 0, 0, 0].tolist() == list(range(20, 25))


def test_labels_in_words_and_other_columns() -> None:
    parquet("set.parquet", range(6), names=False, image="img", label=["a", "b"] * 3)
    assert load("set.parquet").classes == ("a", "b")
    parquet("set.parquet", range(6), names=False, image="img", fine_label=[4, 7] * 3)
    assert load("set.parquet").classes == ("0", "1")
    assert load("set.parquet", columns=("img", "fine_label")).classes == ("4", "7")


def test_pictures_may_be_bytes_or_paths() -> None:
    pictures(6, "set")
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as files

    label = [number % 2 for number in range(6)]
    content = [Path(f"set/{number}.png").read_bytes() for number in range(6)]
    for image in (content, [f"{n}.png" for n in range(6)], [{"bytes": None, "path": f"{n}.png"} for n in range(6)]):
        files.write_table(arrow.table({"image": image, "label": label}), "set/a.parquet")
        train, test = firsts(load("set/a.parquet"))
        assert sorted(train + test) == list(range(6))


def test_parquet_that_does_not_fit_is_refused() -> None:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as files

    def refused(reason: str, table: dict[str, list[Any]] | None = None, name: str = "a.parquet") -> None:
        if table is not None:
            files.write_table(arrow.table(table), name)
        with pytest.raises(DataError, match=reason):
            load(name)

    refused("unclear which of the columns a, b, c", {"a": ["x"], "b": ["y"], "c": ["z"]})
    refused(r"a\.parquet: 1 rows have no label", {"image": [b"x"] * 2, "label": [1, None]})
    refused("the column image holds list, not pictures", {"image": [[3], [4]], "label": [1, 1]})
    refused("row 1 is not in a known picture format", {"image": [encoded(1), None, b"x"], "label": [1, 1, 2]})
    Path("b.parquet").write_bytes(b"hello")
    refused(r"b\.parquet: not a readable parquet file", name="b.parquet")
    Path("c.parquet").write_bytes(Path("a.parquet").read_bytes()[:-20])
    refused(r"c\.parquet: not a readable parquet file", name="c.parquet")
    parquet("set/train-0.parquet", range(6))
    parquet("set/other.parquet", range(6))
    refused("set: unclear which part other.parquet is", name="set")
    parquet("bad/train.parquet", range(6), label=[0, 1, 2] * 2)
    refused("label 2 at index 2 is not one of the classes, 0 to 1", name="bad/train.parquet")


def test_without_pyarrow_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.parquet").write_bytes(b"")
    imported = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError
        return imported(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match=r"a\.parquet: parquet files need pyarrow: pip install 'gradsum\[data\]'"):
        load("a.parquet")


def test_the_three_ways_in_hold_out_the_same() -> None:
    pictures(12)
    labels = [number % 2 for number in range(12)]
    by_csv = load(csv("file,label\n" + "\n".join(f"pics/{n}.png,{n % 2}" for n in range(12))))
    pixels = [np.asarray(Image.open(f"d/pics/{n}.png")) for n in range(12)]
    by_array = load((np.stack(pixels), labels))
    for one, two in ((by_csv.train, by_array.train), (by_csv.test, by_array.test)):
        assert np.array_equal(one.images, two.images)
        assert np.array_equal(one.labels, two.labels)


def test_files_of_other_kinds_are_explained() -> None:
    pictures(1)
    with pytest.raises(DataError, match=r"0\.png: not an \.npz archive; a folder of pictures, \.csv, \.parquet and"):
        load("d/pics/0.png")
