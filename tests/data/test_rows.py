"""Features with targets: from arrays, CSV and parquet, in the cache, and everything that can be wrong with them."""

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.data import Dataset, Measure, Normalisation, Split, cache, load
from engine.data.feature_files import read_features
from engine.errors import DataError

RNG = np.random.default_rng(5)
X = RNG.normal(10, 3, (60, 3)).astype(np.float32)
Y = (X @ [1, -2, 0.5]).astype(np.float32)
NAMES = ("age", "height", "rooms")
BASE = "age,height,price\n1,2,0.5\n3,4,1.5\n5,6,2.5\n"


def write_csv(path: Path, target: str = "price", targets: Any = Y) -> Path:
    rows = [",".join([*(repr(float(x)) for x in row), str(y)]) for row, y in zip(X, targets, strict=True)]
    path.write_text("\n".join([",".join((*NAMES, target)), *rows]) + "\n")
    return path


def same(one: Dataset, other: Dataset) -> bool:
    pairs = [(a, b) for x, y in ((one.train, other.train), (one.test, other.test))
             for a, b in ((x.inputs, y.inputs), (x.targets, y.targets))]  # fmt: skip
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


# What a data set is.


def test_a_dataset_of_features_and_values() -> None:
    data = load((X, Y))
    assert (data.shape, data.outputs, data.measure, data.classes) == ((3,), 1, Measure.R2, ())
    assert (len(data.train), len(data.test), data.train.unit) == (50, 10, "rows")
    assert repr(data.train) == "Split(50 rows of 3)"
    for name, said in (("images", "rows of features, not images"), ("labels", "values to be predicted, not classes")):
        with pytest.raises(DataError, match=said):
            getattr(data.train, name)


def test_images_with_values_are_a_dataset_as_well() -> None:
    images = np.zeros((2, 4, 4, 1), np.uint8)
    part = Split(images, np.array([[1.0], [2.0]], np.float32))
    data = Dataset("d", (), part, part)
    assert (data.shape, data.measure) == ((4, 4, 1), Measure.R2)
    assert same(data, cache.open_cached(cache.store(data)))


ONES = np.ones((2, 1), np.float32)


@pytest.mark.parametrize(
    ("inputs", "targets", "said"),
    [
        (np.ones((2, 3)), ONES, r"features float32 \[N, D\], not float64"),
        (ONES, np.ones(2, np.float32), r"values float32 \[N, T\], not float32 \[2\]"),
        (ONES, np.ones((3, 1), np.float32), "2 rows but 3 values"),
        (np.ones((2, 0), np.float32), ONES, r"rows have the shape \[2, 0\]"),
        (np.array([[1], [np.nan]], np.float32), ONES, "feature 0 of row 1 is nan"),
        (ONES, np.array([[1, 2], [3, np.inf]], np.float32), "target 1 of row 1 is inf"),
    ],
)
def test_a_split_that_does_not_fit_is_refused(inputs: Any, targets: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Split(inputs, targets)


def test_parts_that_do_not_fit_each_other() -> None:
    rows, values = Split(ONES, np.array([[1.0], [2.0]], np.float32)), np.array([0, 1], np.int32)
    with pytest.raises(DataError, match="training has rows with values, but test rows with labels"):
        Dataset("d", (), rows, Split(ONES, values))
    with pytest.raises(DataError, match="target 0 is 1 in every row that is trained with"):
        Dataset("d", (), Split(ONES, ONES), rows)
    with pytest.raises(DataError, match=r"training rows are \[1\] but test rows \[2\]"):
        Dataset("d", (), rows, Split(np.ones((2, 2), np.float32), ONES))
    with pytest.raises(DataError, match="2 classes, but the targets are values"):
        Dataset("d", ("a", "b"), rows, rows)
    with pytest.raises(DataError, match="2 names for 1 features"):
        Dataset("d", (), rows, rows, columns=("a", "b"))


# Normalisation.

COLUMN = st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=1, max_size=20)


@given(COLUMN, st.randoms(use_true_random=False))
def test_mean_and_deviation_are_right_and_do_not_depend_on_the_order(values: list[float], random: Any) -> None:
    found = Normalisation.of(np.array(values, np.float32)[:, None])
    mean = sum(map(Fraction, values)) / len(values)
    assert found.mean[0] == pytest.approx(float(mean), rel=1e-15, abs=1e-300)
    square = sum((Fraction(v) - Fraction(found.mean[0])) ** 2 for v in values) / len(values)
    expected = math.sqrt(square) if len(set(values)) > 1 else 0
    assert found.deviation[0] == pytest.approx(expected or 1.0, rel=1e-12)
    random.shuffle(values)
    assert Normalisation.of(np.array(values, np.float32)[:, None]) == found


@given(st.floats(-(2.0**99), 2.0**99, width=32), st.integers(1, 50))
def test_a_constant_column_becomes_zero(value: float, count: int) -> None:
    column = np.full((count, 1), value, np.float32)
    found = Normalisation.of(column)
    assert (found.mean, found.deviation) == ((value,), (1.0,))
    assert not found.apply(column).any()


def test_values_come_back_in_their_own_units() -> None:
    scale = Normalisation.of(X)
    np.testing.assert_allclose(scale.undo(scale.apply(X)), X, rtol=1e-6)
    np.testing.assert_allclose(scale.apply(X).mean(axis=0), 0, atol=1e-6)
    with pytest.raises(DataError, match="2 columns, but the normalisation has 3"):
        scale.apply(X[:, :2])


# Ways in.


def test_the_same_by_arrays_csv_and_parquet(tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = {name: X[:, number] for number, name in enumerate(NAMES)} | {"price": Y}
    parquet.write_table(pa.table(table), tmp_path / "homes.parquet")
    arrays, csv = load((X, Y)), load(write_csv(tmp_path / "homes.csv"))
    assert same(arrays, csv)
    assert same(arrays, load(tmp_path / "homes.parquet"))
    assert same(arrays, load((X.tolist(), Y.astype(float).tolist())))
    assert same(arrays, load((X.astype(float), Y[:, None])))
    assert (csv.columns, csv.targets, csv.name) == (NAMES, ("price",), "homes")
    assert csv.notes[:2] == (
        "target: column price, the last one; choose another with target-column",
        "regression from 3 features, because the target price holds floats",
    )


def test_the_cache_keeps_all_of_it(tmp_path: Path) -> None:
    data = load(write_csv(tmp_path / "homes.csv"))
    back = cache.open_cached(cache.store(data, tmp_path), tmp_path)
    assert same(data, back)
    assert (back.columns, back.targets, back.classes, back.name) == (NAMES, ("price",), (), "homes")
    words = load(write_csv(tmp_path / "kinds.csv", "kind", ["old", "new"] * 30))
    back = cache.open_cached(cache.store(words, tmp_path), tmp_path)
    assert same(words, back)
    assert (back.columns, back.targets, back.classes) == (NAMES, ("kind",), ("new", "old"))


@pytest.mark.parametrize(
    ("targets", "task", "classes"),
    [
        ([0, 1] * 30, None, ("0", "1")),
        ([3, 7] * 30, None, ("3", "7")),
        (["b", "a"] * 30, None, ("a", "b")),
        ([1.0, 2.0] * 30, None, ()),
        ([0, 1] * 30, "regression", ()),
        ([1.0, 2.0] * 30, "classification", ("1", "2")),
    ],
)
def test_classification_or_regression(targets: list[Any], task: str | None, classes: tuple[str, ...]) -> None:
    data = load((X, targets), task=task)
    assert data.classes == classes
    assert data.measure is (Measure.PERCENT if classes else Measure.R2)
    assert any(note.startswith("classification" if classes else "regression") for note in data.notes)


def test_two_parts_and_several_targets() -> None:
    both = np.stack([Y, -2 * Y], axis=1)
    data = load(((X[:40], both[:40]), (X[40:], both[40:])))
    assert (len(data.train), len(data.test), data.outputs) == (40, 20, 2)
    np.testing.assert_array_equal(data.test.inputs, X[40:])
    np.testing.assert_array_equal(data.test.targets, both[40:])


def test_the_target_may_have_the_name_of_a_column_of_parts_or_both_words_and_numbers(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,split\n1,7\n2,odd\n3,7\n4,odd\n5,7\n6,odd\n")
    data = load(path, target_column="split")
    assert (data.columns, data.targets, data.classes) == (("a",), ("split",), ("7", "odd"))


def test_the_target_by_its_name_and_a_column_of_parts(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(",y,a,split\n0,0.5,1,train\n1,1.5,2,test\n2,2.5,3,train\n")
    data = load(path)
    assert (data.columns, data.targets) == (("a",), ("y",))
    assert (data.train.inputs.tolist(), data.test.inputs.tolist()) == ([[1], [3]], [[2]])
    assert "left out" in data.notes[0]
    assert load(path, target_column="a", task="regression").columns == ("y",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("age,height,price\n1,2,0.5\n3,x,1.5\n", "line 3, column height is 'x', not a number"),
        ("age,height,price\n1,2,0.5\n3,1_0,1.5\n", "line 3, column height is '1_0', not a number"),
        ("age;price\n1,5;0.5\n2;1.5\n", "line 2, column age is '1,5', not a number; decimals need a point"),
        ("age,height,price\n1,2,0.5\n3,1.5\n", "line 3 has 2 columns, the first line has 3"),
        ("age,height,price\n1,,0.5\n3,4,1.5\n", "line 2, column height is missing"),
        ("age,height,price\n1,2,0.5\n\n3,NA,1.5\n", "line 4, column height is missing"),
        ("age,height,price\n1,2,0.5\n3,4,\n", "line 3, column price is missing"),
        ("age,height,price\n1,2,0.5\n3,1e39,1.5\n", r"line 3, column height is 1e\+39: it must be a finite number"),
        ("age,height,price\n1,2,0.5\n3,4,1e39\n", r"line 3, target price is 1e\+39: it must be a finite number"),
        ("age,height,price\n1,2,0.5\n3,4,low\n", "line 3, column price is 'low', not a number; all values to be"),
        ("age,price\n1,0.5\n2,0.5\n3,0.5\n", "target price is 0.5 in every row"),
        ("age,price\n1,7\n2,7\n3,7\n", "the target price is 7 in every row: there is nothing to learn"),
        ("price\n0.5\n1.5\n", "there are no features"),
        ("age,age,price\n1,2,0.5\n3,4,1.5\n", "two columns are called 'age'"),
        ("age,label,y\n1,2,0.5\n3,4,1.5\n", "unclear which of label, y is the target"),
        ("1,2,0.5\n3,4,1.5\n", "the first line must name the columns, but holds numbers"),
        ("age,price\n1,0.5\n", "a single row cannot be cut"),
        ("age,price\n", "no lines after the first"),
        ("", "it is empty"),
        ("age,price,split\n1,0.5,train\n2,1.5,later\n", "line 3: the part 'later' is not train"),
        ("age,price,split\n1,0.5,train\n2,x,test\n3,1.5,train\n", "line 3, column price is 'x', not a number"),
    ],
)
def test_what_is_wrong_in_a_table_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=rf"^{path}: {said}"):
        load(path)
    assert sorted(x.name for x in tmp_path.iterdir()) == ["t.csv"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"target_column": "prize"}, "no column 'prize' to be the target; there are age, height, price"),
        ({"task": "guess"}, "task must be classification or regression, not 'guess'"),
        ({"size": 8}, "size is for pictures"),
    ],
)
def test_options_that_do_not_suit_a_table(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(BASE)
    with pytest.raises(DataError, match=said):
        load(path, **options)


@pytest.mark.parametrize(
    ("source", "options", "said"),
    [
        ((X, Y[:5]), {}, "60 rows but 5 targets"),
        ((X[:, :0], Y), {}, "there are no features"),
        ((np.where(X > 10, np.nan, X), Y), {}, r"row \d+, column \d is nan"),
        ((X, np.full(60, np.inf)), {}, "row 0, target 0 is inf"),
        ((X.astype(str).astype(object), Y), {}, "row 0, column 0 is '.*', not a number"),
        ((X.astype(complex), Y), {}, "features are complex128; they must be numbers"),
        (([[1, 2], [3]], [0.5, 1.5]), {}, "rows of features differ in length, from 1 to 2"),
        ((X, ["a", "b"] * 30), {"task": "regression"}, "holds words, which cannot be predicted as values"),
        ((X, np.stack([Y, Y], 1).astype(int)), {}, "targets must be one for each picture|targets must be"),
        ((X, Y), {"classes": ("a", "b")}, "classes are for classification"),
        ((X, Y), {"target_column": "y"}, "target_column is for files"),
        ((X, [[0.5], [1.5, 2.5]] * 30), {}, "targets differ in length; they must be"),
        (([[1, 2], [3, None]], [0.5, 1.5]), {}, r"row \d+, column \d is nan"),
        (((X, Y), (X, np.stack([Y, Y], 1))), {}, r"training targets are \[60\], those to test \[60, 2\]"),
        (((X, Y), (X[:5], np.full(5, np.nan))), {}, "row 0 of the test part, target 0 is nan"),
        (((X, Y), (X[:, :2], Y)), {}, "training has 3 features but the test part 2"),
        (((X, Y), (X, ["a"] * 60)), {}, "some targets are words"),
        ("letters", {"task": "regression"}, "task is for features in a CSV or parquet file"),
    ],
)
def test_data_in_python_that_does_not_suit(source: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        load(source, **options)


def test_what_is_wrong_in_parquet_is_said_with_its_place(tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "t.parquet"
    for columns, said in (
        ({"age": [1, None], "price": [0.5, 1.5]}, "row 1, column age is missing"),
        ({"age": ["1", "x"], "height": [1, 2], "price": [0.5, 1.5]}, "column age is of type string, not of numbers"),
        ({"age": [1.0, float("nan")], "price": [0.5, 1.5]}, "row 1, column age is nan"),
        ({"age": [1, 2], "price": [0.5, None]}, "row 1, column price is missing"),
        (
            {"age": [1, 2], "height": [1, 2], "odd": [[1], [2]]},
            "column odd is of type list.*neither numbers nor text",
        ),
        ({"age": pa.array([], pa.int64()), "price": pa.array([], pa.float64())}, "no rows"),
    ):
        parquet.write_table(pa.table(columns), path)
        with pytest.raises(DataError, match=rf"^{path}: {said}"):
            load(path)
    parquet.write_table(pa.table({"age": [1, 2], "price": [0.5, 1.5]}), path, compression="snappy")
    whole = path.read_bytes()
    for damaged in (b"PAR1 and no more", whole[:4] + b"\xff" * 60 + whole[64:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="not a readable parquet file"):
            load(path)


def test_a_parquet_file_with_words_as_targets_and_a_column_of_parts(tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"age": [1, 2, 3], "kind": ["new", "old", "new"], "split": ["train", "train", "test"]}
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    data = load(tmp_path / "t.parquet", target_column="kind")
    assert (data.classes, data.train.inputs.tolist(), data.test.inputs.tolist()) == (("new", "old"), [[1], [2]], [[3]])
    with pytest.raises(DataError, match="column kind is of type string, not of numbers"):
        load(tmp_path / "t.parquet", target_column="kind", task="regression")


# Rows that a network is asked about.


def test_rows_to_be_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("price,height,age\n9,1,2\n9,3,4\n")
    assert read_features(path, 2, ("age", "height")).tolist() == [[2, 1], [4, 3]]
    with pytest.raises(DataError, match="2 columns, but the network takes 3 features"):
        read_features(path, 3, ("age", "height"))
    np.save(tmp_path / "rows.npy", X)
    np.testing.assert_array_equal(read_features(tmp_path / "rows.npy", 3, ()), X)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("r.csv", "age\n1\n", "no column 'height', which the network was trained with; it has age"),
        ("r.csv", "age,height\n1,tall\n", "line 2, column height is 'tall', not a number"),
        ("r.png", "", "the network takes 2 features; .csv, .tsv, .parquet and .npy files"),
        ("r.npy", np.ones((2, 3)), r"holds float64 \[2, 3\]; the network takes numbers \[N, 2\]"),
        ("r.npy", np.full((2, 2), np.nan), "row 0, column age is nan"),
        ("r.npy", "no array", "not a readable array"),
        ("gone.csv", None, "there is no file"),
        ("gone.npy", None, "there is no file"),
        ("gone.parquet", None, "there is no file"),
    ],
)
def test_rows_that_cannot_be_asked_about(
    tmp_path: Path, name: str, content: str | NDArray[Any] | None, said: str
) -> None:
    path = tmp_path / name
    if isinstance(content, str):
        path.write_text(content)
    elif content is not None:
        np.save(path, content)
    with pytest.raises(DataError, match=said):
        read_features(path, 2, ("age", "height"))
