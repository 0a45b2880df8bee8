"""Folders of pictures: their parts and classes, the order of samples, what is noted and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engine.data import Dataset, cache, load
from engine.data.natural import natural
from engine.errors import DataError
from tests.support.idx import write_idx

RNG = np.random.default_rng(5)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADSUM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def put(path: str, value: int | NDArray[np.uint8] | None = None, shape: tuple[int, ...] = (4, 5)) -> Path:
    """Write a picture; a number is its first pixel, so that it is known again."""
    pixels = value if isinstance(value, np.ndarray) else RNG.integers(0, 256, shape, np.uint8)
    if isinstance(value, int):
        pixels[0, 0] = value
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return Path(path)


def fill(root: str, classes: tuple[str, ...] = ("a", "b"), each: int = 3) -> None:
    for name in classes:
        for number in range(each):
            put(f"{root}/{name}/{number}.png")


def firsts(images: NDArray[np.uint8]) -> list[int]:
    found: list[int] = images[:, 0, 0, 0].tolist()
    return found


def note(data: Dataset, start: str) -> str:
    (found,) = [text for text in data.notes if text.startswith(start)]
    return found


@pytest.mark.parametrize(
    ("train", "test"), [("train", "test"), ("Train", "VAL"), ("train", "valid"), ("TRAIN", "Validation")]
)
def test_parts_are_known_by_their_names(train: str, test: str) -> None:
    put(f"d/{train}/cat/x.png", 1)
    put(f"d/{train}/dog/x.png", 2)
    put(f"d/{test}/dog/y.png", 3)
    data = load("d")
    assert (data.name, data.classes, data.shape) == ("d", ("cat", "dog"), (4, 5, 1))
    assert (firsts(data.train.images), data.train.labels.tolist()) == ([1, 2], [0, 1])
    assert (firsts(data.test.images), data.test.labels.tolist()) == ([3], [1])
    assert note(data, f"{test} has no pictures of") == f"{test} has no pictures of cat"


def test_samples_are_in_the_order_of_their_numbers_whatever_their_class() -> None:
    for number, name in enumerate(["9.png", "10.png", "b2.png", "b010.png", "B1.png", "sub/1.png"]):
        put(f"d/train/{'zebra' if number % 2 else 'ape'}/{name}", number)
    put("d/train/ape/10.png", 7)
    put("d/test/ape/1.png")
    data = load("d")
    # 9 ape, 10 ape, 10 zebra, B1, b2, b010, sub/1
    assert firsts(data.train.images) == [0, 7, 1, 4, 2, 3, 5]


def test_natural_order() -> None:
    names = ["x10", "x9", "x09", "x", "x9a", "x10a", "y1", "x" + "1" * 200, "x" + "1" * 199]
    assert sorted(names, key=lambda name: (natural(name), name)) == [
        "x", "x09", "x9", "x9a", "x10", "x10a", "x" + "1" * 199, "x" + "1" * 200, "y1",
    ]  # fmt: skip


def test_classes_that_are_numbers_are_in_their_order() -> None:
    for number in (10, 2, 1):
        put(f"d/{number}/a.png")
        put(f"d/{number}/b.png")
    assert load("d").classes == ("1", "2", "10")


def test_pictures_made_of_idx_files_are_the_same_arrays() -> None:
    rng = np.random.default_rng(8)
    for part, name, count in (("train", "train", 300), ("test", "t10k", 60)):
        images = rng.integers(0, 256, (count, 6, 7), np.uint8)
        labels = rng.integers(0, 10, count).astype(np.uint8)
        Path("idx").mkdir(exist_ok=True)
        write_idx(Path(f"idx/{name}-images-idx3-ubyte"), images)
        write_idx(Path(f"idx/{name}-labels-idx1-ubyte"), labels)
        for number in rng.permutation(count):
            put(f"png/{part}/{labels[number]}/{number}.png", images[number])
    one, two = load("idx"), load("png")
    assert one.classes == two.classes
    for a, b in ((one.train, two.train), (one.test, two.test)):
        assert np.array_equal(a.images, b.images)
        assert np.array_equal(a.labels, b.labels)


def test_without_a_second_part_a_sixth_of_each_class_is_held_out() -> None:
    fill("d", ("a", "b"), each=12)
    fill("d", ("c",), each=2)
    put("d/single/1.png")
    one, two = load("d"), load("d")
    assert np.bincount(one.train.labels).tolist() == [10, 10, 1, 1]
    assert np.bincount(one.test.labels).tolist() == [2, 2, 1]
    assert np.array_equal(one.test.images, two.test.images)
    assert note(one, "held out") == (
        "held out a sixth of each class for testing: 5 of 27, the same ones every time; none of the class that has a "
        "single sample"
    )
    assert np.sort(np.concatenate([one.train.images, one.test.images])[:, 0, 0, 0]).size == 27


def test_a_lone_train_folder_is_cut_as_well() -> None:
    fill("d/train", each=6)
    data = load("d")
    assert (len(data.train), len(data.test), data.classes) == (10, 2, ("a", "b"))


def test_what_is_chosen_of_several_parts_is_said() -> None:
    for part in ("train", "test", "val", "old"):
        fill(f"d/{part}", each=2 if part == "val" else 1)
    data = load("d")
    assert {name: len(part) for name, part in data.parts().items()} == {"train": 2, "validation": 4, "test": 2}
    assert "not read: old, beside train and val and test" in data.notes
    fill("d/validation", each=3)
    data = load("d")
    assert len(data.validating) == 6
    assert "not read: old, val, beside train and validation and test" in data.notes


def test_a_test_folder_without_the_classes_is_not_read() -> None:
    """Competitions publish one so: its pictures lie in a folder of their own, or in none."""
    for part, names in (("train", ("a", "b")), ("val", ("a", "b")), ("test", ("unknown",))):
        fill(f"d/{part}", names)
    data = load("d")
    assert (data.classes, data.validation, len(data.test)) == (("a", "b"), None, 6)
    assert note(data, "not read") == "not read: test, beside train and val"
    assert not [text for text in data.notes if "unknown" in text]


def test_train_and_test_may_be_classes() -> None:
    fill("d", ("train", "test", "car"), each=2)
    assert load("d").classes == ("car", "test", "train")


def test_grey_is_recognised_however_it_is_stored() -> None:
    shades = RNG.integers(0, 256, (4, 5, 1), np.uint8).repeat(3, 2)
    put("d/a/1.png", shades)
    put("d/a/2.png", shades[..., 0])
    put("d/b/1.png", np.concatenate([shades, shades[..., :1]], 2))
    put("d/b/2.png")
    data = load("d")
    assert data.shape == (4, 5, 1)
    assert note(data, "grey") == "grey, 4x5 pixels"
    shades[2, 2, 0] ^= 1
    put("d/b/3.png", shades)
    data = load("d")
    assert data.shape == (4, 5, 3)
    assert note(data, "colour") == "colour, 4x5 pixels"


def test_transparent_pictures_are_laid_on_the_background_of_the_training_set() -> None:
    clear = np.full((4, 5, 4), 255, np.uint8)
    clear[..., 3] = 0
    clear[1, 1] = (0, 0, 0, 255)
    for number in range(3):
        put(f"d/a/{number}.png", np.full((4, 5), 230, np.uint8))
        put(f"d/b/{number}.png", clear)
    data = load("d")
    assert note(data, "transparent") == "transparent parts of 3 pictures are laid on #e6e6e6"
    assert sorted(np.unique(data.train.images).tolist()) == [0, 230]


@pytest.mark.parametrize(("ink", "paper"), [(0, "white"), (250, "black")])
def test_where_all_are_transparent_the_ink_stands_out(ink: int, paper: str) -> None:
    for name in ("a", "b"):
        for number in range(2):
            rgba = np.zeros((4, 5, 4), np.uint8)
            rgba[number + 1] = (ink, ink, ink, 255)
            put(f"d/{name}/{number}.png", rgba)
    data = load("d")
    assert note(data, "transparent").endswith(f"4 pictures are laid on {paper}")
    assert sorted(np.unique(data.train.images).tolist()) == sorted([ink, 255 if paper == "white" else 0])


def test_several_sizes_need_a_choice() -> None:
    fill("d", each=3)
    put("d/b/tall.png", shape=(9, 5))
    with pytest.raises(DataError, match=r"2 sizes: 6 of 7 are 4x5 .*tall\.png is 9x5; choose one .* --size 64"):
        load("d")
    data = load("d", size=8)
    assert (data.shape, data.scaled) == ((8, 8, 1), True)
    assert note(data, "scaled").startswith("scaled from other sizes, whole; what is left at two sides is #")
    assert load("d", size=(3, 9)).shape == (3, 9, 1)


@pytest.mark.parametrize("size", [0, -3, 20_000, (3,), (1, 0), "8", 2.5])
def test_a_size_that_cannot_be_one_is_refused(size: int) -> None:
    fill("d")
    with pytest.raises(DataError, match="size must be a number of pixels"):
        load("d", size=size)


def test_unreadable_files_are_listed_together_and_can_be_left_out(own_cache: Path) -> None:
    fill("d", each=12)
    whole = Path("d/a/0.png").read_bytes()
    for number in range(6):
        Path(f"d/a/{number}.png").write_bytes(whole[: 12 * number])  # some are found by the header, some later
        Path(f"d/b/{number}.png").write_bytes(b"hello")
    with pytest.raises(DataError) as caught:
        load("d")
    text = str(caught.value)
    assert "of 24 pictures, 12 cannot be used" in text
    assert text.count("\n") == 12
    assert "d/a/0.png is not in a known picture format" in text
    assert "and 2 more" in text
    assert "--skip-unreadable" in text
    assert not list(own_cache.glob("*"))
    data = load("d", skip_unreadable=True)
    assert len(data.train) + len(data.test) == 12
    assert "pictures that cannot be read, and left out: 12" in note(data, "pictures that cannot")


def test_damage_within_the_pixels_is_found_too(own_cache: Path) -> None:
    fill("d", each=12)
    for number in (3, 5):
        path = Path(f"d/a/{number}.png")
        path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"of 24 pictures, 2 cannot be used:\n.*3\.png is damaged.*\n.*5\.png"):
        load("d")
    assert not list(own_cache.glob("*"))
    assert len(load("d", skip_unreadable=True).train) == 19


def test_several_frames_are_unreadable() -> None:
    fill("d")
    frames = [Image.new("L", (5, 4), shade) for shade in (1, 2)]
    frames[0].save("d/a/x.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match=r"x\.gif has 2 frames; save the one that counts"):
        load("d")


def test_flat_pictures_are_pointed_out() -> None:
    fill("d")
    put("d/a/flat.png", np.full((4, 5), 9, np.uint8))
    assert note(load("d"), "pictures that show").endswith("one flat colour: 1\n  d/a/flat.png")


def test_files_that_are_not_pictures_are_left_out_and_noted() -> None:
    fill("d")
    for name in ("d/a/read.me", "d/a/.DS_Store", "d/b/Thumbs.db", "d/labels.csv", "d/.git/x/1.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("hello")
    put("d/a/1.png").rename("d/a/without_ending")
    Path("d/empty").mkdir()
    data = load("d")
    assert data.classes == ("a", "b")
    assert note(data, "left out") == "left out, not pictures in a class's folder: a/read.me, labels.csv"
    assert note(data, "no class") == "no class, since there are no pictures in it: empty"
    assert len(data.train) + len(data.test) == 6


def test_what_cannot_be_a_data_set_is_explained() -> None:
    Path("empty").mkdir()
    put("loose/1.png")
    fill("one", ("only",))
    fill("wrapped/photos", ("x", "y"))
    fill("strange/train", ("a", "b"))
    fill("strange/test", ("a", "c"))
    fill("headless/test")
    fill("twice/train")
    fill("twice/TRAIN")
    fill("hollow/train")
    Path("hollow/test/a").mkdir(parents=True)
    for name, reason in {
        "empty": "empty: no pictures in folders; pictures are read from one folder for each class",
        "loose": r"1 files, such as 1\.png, but no folders; .*loose/cat/1\.png",
        "one": "only is the only class with pictures, and two are needed$",
        "wrapped": "if its folders are the classes, name wrapped/photos instead",
        "strange": "test has pictures of c, train has none",
        "headless": "holds test but not train",
        "twice": "TRAIN and train, which differ in upper and lower case",
        "hollow": "test holds folders but no pictures",
    }.items():
        with pytest.raises(DataError, match=reason):
            load(name)


def test_a_class_whose_name_cannot_be_printed_is_refused() -> None:
    fill("d", ("a", "b\n"))
    with pytest.raises(DataError, match=r"the folder 'b\\n' gives a class a name that cannot be printed"):
        load("d")


def test_nothing_is_converted_again_unless_something_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    fill("d")
    told: list[tuple[str, int, int]] = []

    def converted(skip_unreadable: bool = False) -> bool:
        told.clear()
        load("d", progress=lambda *report: told.append(report), skip_unreadable=skip_unreadable)
        return bool(told)

    assert converted()
    assert told == [("looking at pictures", 6, 6), ("converting pictures", 6, 6)]
    assert not converted()
    assert converted(skip_unreadable=True)
    put("d/a/1.png", shape=(4, 5))
    assert converted()
    assert not converted()
    put("d/a/new.png")
    assert converted()
    Path("d/a/new.png").rename("d/b/new.png")
    assert converted()
    before = load("d")
    assert load("d").notes == before.notes != ()
    cache.path_of(cache.store(before)).unlink()
    assert converted()


def test_a_note_that_was_damaged_is_as_good_as_none(own_cache: Path) -> None:
    fill("d")
    first = load("d")
    (path,) = own_cache.glob("pictures-*.key")
    for damage in (b"", b"[]", b'["x", []]', b"\xff", b'{"a": 1}'):
        path.write_bytes(damage)
        assert cache.store(load("d")) == cache.store(first)


def test_an_interrupted_conversion_leaves_nothing(own_cache: Path) -> None:
    fill("d")

    def stop(what: str, *_: int) -> None:
        if what.startswith("converting"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load("d", progress=stop)
    assert not list(own_cache.glob("*"))


def test_a_cache_without_room_says_so(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    fill("d")
    monkeypatch.setenv("GRADSUM_CACHE_GB", "0.0000001")
    with pytest.raises(DataError, match="set GRADSUM_CACHE_GB higher"):
        load("d")
    assert not own_cache.exists()


def test_large_pictures_are_decoded_by_threads_to_the_same_bytes() -> None:
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (20, 160, 150, 3), np.uint8)
    for number, image in enumerate(images):
        put(f"d/train/{number % 2}/{number}.png", image)
    put("d/test/1/0.png", images[0])
    data = load("d")
    assert np.array_equal(data.train.images, images)
    assert data.train.labels.tolist() == [0, 1] * 10


def test_a_data_set_is_printed_without_its_pixels() -> None:
    fill("d")
    assert repr(load("d")) == "Dataset('d', 2 classes, train=Split(4 images of 4x5x1), test=Split(2 images of 4x5x1))"
