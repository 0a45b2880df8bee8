"""Input that once became wrong data without a word, or ended in a traceback: what is refused, and with which words."""

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

import engine
from engine.data import Split, load
from engine.data.feature_files import read_features
from engine.data.picture import is_picture
from engine.errors import DataError

RNG = np.random.default_rng(0)
FLOATS = RNG.random((60, 8, 8))
BYTES = (FLOATS * 255).astype(np.uint8)
Y = np.arange(60) % 3
ROWS = RNG.random((60, 4))


@pytest.mark.parametrize(
    "parts", [(BYTES, FLOATS), (FLOATS, BYTES), (BYTES.astype(int), FLOATS > 0.5), (FLOATS > 0.5, FLOATS)]
)
def test_parts_of_several_types_are_refused(parts: tuple[Any, Any]) -> None:
    with pytest.raises(DataError, match="images are of several types, such as whole numbers and floats"):
        load(tuple((part, Y) for part in parts))


def test_bytes_and_other_whole_numbers_go_together() -> None:
    data = load(((BYTES, Y), (BYTES.astype(np.int64), Y)))
    assert np.array_equal(data.train.images, data.test.images)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_found_wherever_it_is(value: float) -> None:
    images = np.zeros((20_000, 8, 8))
    images[19_999] = value
    with pytest.raises(DataError, match="images hold values that are not finite"):
        load((images, np.arange(20_000) % 2))


def test_labels_of_two_types_of_whole_numbers_are_classes() -> None:
    for x in (ROWS, BYTES):
        data = load(((x, Y.astype(np.uint64)), (x, Y)))
        assert data.classes == ("0", "1", "2")
    with pytest.raises(DataError, match="labels are too large; give them as words"):
        load(((ROWS, Y.astype(np.uint64) + np.uint64(1 << 63)), (ROWS, Y)))
    with pytest.raises(DataError, match="some targets are floats, others whole numbers"):
        load(((ROWS, Y), (ROWS, Y + 0.5)))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.array(["ä".encode("latin-1"), b"a"])[Y % 2], "labels are bytes, but not in UTF-8"),
        (np.array([1e19, 3.0])[Y % 2], r"labels: 1e\+19 at index 0 is not a class"),
    ],
)
def test_labels_that_would_be_merged_are_refused(labels: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        load((BYTES, labels))


def test_labels_as_bytes_in_a_list_are_words() -> None:
    assert load((list(BYTES), [b"no", b"yes"] * 30)).classes == ("no", "yes")


def test_values_in_a_list_of_lists_are_values() -> None:
    data = load((ROWS.tolist(), [[1.0, 2.0], [3.0, 5.0]] * 30))
    assert data.train.has_values
    assert data.outputs == 2


@pytest.mark.parametrize("first", ["007", "12345678901234567890", "-0"])
def test_whole_numbers_in_a_csv_are_classes_however_they_are_written(first: str) -> None:
    Path("d.csv").write_text("x,label\n" + "".join(f"{n},{label}\n" for n in range(8) for label in (first, "1")))
    assert load("d.csv").classes == tuple(sorted([first, "1"])) or load("d.csv").classes == ("1", first)
    assert load("d.csv", task="regression").train.has_values


def test_names_of_classes_in_an_archive_may_be_bytes_and_must_differ() -> None:
    np.savez("a.npz", images=BYTES, labels=Y, classes=np.array([b"cat", b"dog", b"eel"]))
    assert load("a.npz").classes == ("cat", "dog", "eel")
    np.savez("a.npz", images=BYTES, labels=Y, classes=np.array(["cat", "cat", "eel"]))
    with pytest.raises(DataError, match=r"a\.npz: two classes have the same name"):
        load("a.npz")


def test_two_columns_of_one_name_are_not_told_apart() -> None:
    Path("d.csv").write_text("x,x,y\n1,2,3\n")
    for columns in ((), ("x", "y")):
        with pytest.raises(DataError, match="two columns are called x"):
            read_features(Path("d.csv"), 3 if not columns else 2, columns)


def test_arrays_in_the_other_order_of_bytes_are_the_same_samples() -> None:
    values, labels = ROWS.astype(np.float32), Y.astype(np.int32)
    native, other = Split(values, labels), Split(values.astype(">f4"), labels.astype(">i4"))
    assert other.has_features
    assert other.normalisation() == native.normalisation()
    assert np.array_equal(other.labels, native.labels)
    with pytest.raises(DataError, match=r"must be finite|nan"):
        Split(np.where(ROWS > 0.9, np.nan, ROWS).astype(">f4"), labels)


def fifo() -> None:
    Path("photos/a").mkdir(parents=True)
    os.mkfifo("photos/a/x.png")


def test_a_pipe_is_no_picture_and_nobody_waits_for_it() -> None:
    fifo()
    assert not is_picture("photos/a/x.png")
    for number in range(2):
        Path(f"photos/{number}").mkdir()
        Image.fromarray(BYTES[number]).save(f"photos/{number}/1.png")
        Image.fromarray(BYTES[number]).save(f"photos/{number}/2.png")
    with pytest.raises(DataError, match="is a pipe, not a file"):
        load("photos")


def test_a_link_to_itself_beside_the_classes_is_passed_over() -> None:
    for number in range(2):
        Path(f"photos/{number}").mkdir(parents=True)
        for name in ("1", "2"):
            Image.fromarray(BYTES[number]).save(f"photos/{number}/{name}.png")
    Path("photos/self").symlink_to("self")
    assert load("photos").classes == ("0", "1")


def header(shape: str) -> bytes:
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (117 - len(text)) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize("shape", ["(100000000000000000000, 8, 8)", "(1000000000000000, 8, 8)", "(8, 8", "(8, 'x')"])
def test_damaged_arrays_are_refused(shape: str) -> None:
    with zipfile.ZipFile("a.npz", "w") as archive:
        for name in ("images", "labels"):
            archive.writestr(f"{name}.npy", header(shape))
    Path("a.npy").write_bytes(header(shape))
    with pytest.raises(DataError, match=r"a\.npz: not a readable .npz archive of plain arrays"):
        load("a.npz")
    with pytest.raises(DataError, match=r"a\.npy: not a readable array"):
        read_features(Path("a.npy"), 8, ())


def test_a_damaged_member_and_an_archive_where_an_array_should_be() -> None:
    content = io.BytesIO()
    np.savez("plain.npz", images=BYTES, labels=Y)
    with zipfile.ZipFile(content, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("images.npy", Path("plain.npz").read_bytes())
    damaged = bytearray(content.getvalue())
    damaged[60:90] = bytes(30)
    Path("a.npz").write_bytes(damaged)
    with pytest.raises(DataError, match=r"a\.npz: not a readable .npz archive"):
        load("a.npz")
    Path("plain.npz").rename("a.npy")
    with pytest.raises(DataError, match=r"it is an \.npz archive, not one array"):
        read_features(Path("a.npy"), 4, ())


class Sparse:
    """Stands for a matrix of scipy."""

    shape = (60, 4)

    def toarray(self) -> Any:
        return ROWS


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ((Sparse(), Y), "X or y is a sparse matrix: give X.toarray"),
        (([[1, 2], 3, [4, 5]], [0, 1, 0]), "rows of features differ in length, from 1 to 2"),
        ((np.array([[1, 2j], [3, 4]], object), [0, 1]), "row 0, column 1 is 2j, not a number"),
        ((np.array([[1, 10**400], [3, 4]], object), [0, 1]), "row 0, column 1 is 10+.*, not a number"),
        ("", "the name or path of the data is empty"),
    ],
)
def test_what_cannot_be_read_is_said(source: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        load(source)


def test_an_image_that_cannot_be_read_is_not_the_cache_s_fault() -> None:
    class Images:
        asked = 0

        def __len__(self) -> int:
            return 20

        def __getitem__(self, number: int) -> Any:
            self.asked += number == 19
            if self.asked > 1:  # once for the label
                raise FileNotFoundError(2, "gone", "mine.bin")
            return BYTES[number], number % 2

    with pytest.raises(DataError, match=r"(image|sample) 19.*(gone|mine\.bin)"):
        load(Images())


def test_a_fraction_may_be_a_number_of_numpy() -> None:
    assert load((BYTES, Y)).hold_out(cast(float, np.float32(0.25))).validation is not None


def test_values_that_differ_too_little_for_float32_are_told_so() -> None:
    with pytest.raises(DataError, match="once rounded to float32: there is nothing to learn"):
        load((ROWS, 1.7e9 + np.arange(60) * 0.5))


def parquet(path: str, **columns: Any) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet as pq

    pq.write_table(pa.table(columns), path)


def png(grey: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((4, 4), grey, np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_another_column_of_pictures_is_another_data_set() -> None:
    labels = [0, 1] * 6
    parquet("t.parquet", front=[png(10)] * 12, back=[png(200)] * 12, label=labels)
    means = [load("t.parquet", columns=(name, "label")).train.images.mean() for name in ("front", "back")]
    assert means == [10, 200]


def test_pictures_that_a_parquet_file_names_are_read_again_when_they_change() -> None:
    parquet("t.parquet", image=[f"{n}.png" for n in range(12)], label=[0, 1] * 6)
    for grey in (10, 200):
        for number in range(12):
            Path(f"{number}.png").write_bytes(png(grey))
        assert load("t.parquet").train.images.mean() == grey


def test_the_index_of_a_data_frame_is_no_feature() -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet as pq

    table = pa.table({"x": list(range(12)), "label": [0, 1] * 6, "__index_level_0__": list(range(12))})
    pq.write_table(table.replace_schema_metadata({"pandas": '{"index_columns": ["__index_level_0__"]}'}), "t.parquet")
    assert load("t.parquet").columns == ("x",)


def test_whole_numbers_beyond_float64_are_rounded() -> None:
    parquet("t.parquet", x=[2**60 + n for n in range(12)], z=list(range(12)), label=[0, 1] * 6)
    assert load("t.parquet").train.inputs[0, 0] == 2.0**60


def test_a_part_without_rows_is_refused() -> None:
    Path("data").mkdir()
    for name, count in (("train", 12), ("test", 0)):
        parquet(f"data/{name}.parquet", image=[png(10)] * count, label=([0, 1] * 6)[:count])
    with pytest.raises(DataError, match="no rows"):
        load("data")


@pytest.mark.parametrize(
    "asked", [lambda: [np.zeros((4, 4)), np.zeros((2, 4))], lambda: [[1, 2, 3, 4], [1, 2]]], ids=["images", "rows"]
)
def test_samples_of_several_sizes_are_refused(asked: Callable[[], Any]) -> None:
    features = engine.Model((engine.Dense(2),), (4,))
    network = engine.Network(features, features.layout().zeros(), load((ROWS, Y)).train.normalisation(), ("a", "b"))
    with pytest.raises(DataError, match="the samples are not all of one kind and size"):
        network.predict(asked())


def test_networks_can_be_compared_and_kept_in_sets() -> None:
    features = engine.Model((engine.Dense(2),), (4,))
    normalisation = load((ROWS, Y)).train.normalisation()
    one, two = (engine.Network(features, features.layout().zeros(), normalisation, ("a", "b")) for _ in range(2))
    assert one == one  # noqa: PLR0124
    assert one != two
    assert len({one, two}) == 2
