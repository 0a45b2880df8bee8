"""Data sets of other libraries, and lists of pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.data import load
from engine.errors import DataError

RNG = np.random.default_rng(31)
PIXELS = RNG.integers(0, 256, (12, 4, 5), np.uint8)
LABELS = [number % 3 for number in range(12)]
WORDS = [f"w{label}" for label in LABELS]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSUM_CACHE", str(tmp_path / "cache"))


class Tensor:
    """As much of a tensor of another library as is used here."""

    def __init__(self, values: Any) -> None:
        self._values = np.asarray(values)
        self.shape = self._values.shape

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self._values

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, place: Any) -> "Tensor":
        return Tensor(self._values[place])

    def item(self) -> Any:
        return self._values.item()


class Torchlike:
    """A data set as torchvision has them, with a transform that makes tensors, channels first, from 0 to 1."""

    classes = ("zero", "one", "two")

    def __init__(self, tensors: bool) -> None:
        self._tensors = tensors

    def __len__(self) -> int:
        return 12

    def __getitem__(self, number: int) -> tuple[Any, Any]:
        if self._tensors:
            return Tensor(PIXELS[number][None].astype(np.float32) / 255), Tensor(LABELS[number])
        return Image.fromarray(PIXELS[number]), LABELS[number]


class Names:
    def __init__(self, names: list[str]) -> None:
        self.names = names


class Facelike:
    """A data set as Hugging Face has them: rows are dicts, a text gives a column."""

    def __init__(self, names: list[str] | None = None) -> None:
        self.features = {"image": object(), "label": Names(names) if names else object(), "id": object()}

    def __len__(self) -> int:
        return 12

    def __getitem__(self, key: int | str) -> Any:
        if isinstance(key, str):
            return [self[number][key] for number in range(12)]
        return {"image": Image.fromarray(PIXELS[key]), "label": LABELS[key], "id": key}


@pytest.mark.parametrize("tensors", [True, False])
def test_torchvision(tensors: bool) -> None:
    data = load((Torchlike(tensors), Torchlike(tensors)))
    assert (data.classes, data.shape) == (("zero", "one", "two"), (4, 5, 1))
    assert np.array_equal(data.train.images[..., 0], PIXELS)
    assert data.test.labels.tolist() == LABELS


def test_hugging_face() -> None:
    data = load({"test": Facelike(["a", "b", "c"]), "train": Facelike(["a", "b", "c"])}, name="faces")
    assert (data.name, data.classes) == ("faces", ("a", "b", "c"))
    assert np.array_equal(data.test.images[..., 0], PIXELS)
    assert load(Facelike()).classes == ("0", "1", "2")


def test_tensors_as_x_and_y() -> None:
    data = load(((Tensor(PIXELS), Tensor(LABELS)), (Tensor(PIXELS[:3]), Tensor(LABELS[:3]))))
    assert np.array_equal(data.train.images[..., 0], PIXELS)


def test_pictures_and_paths_with_labels() -> None:
    for number, pixels in enumerate(PIXELS):
        Image.fromarray(pixels).save(f"{number}.png")
    paths = [f"{number}.png" for number in range(12)]
    for images in (paths, [Path(path) for path in paths], [Image.open(path) for path in paths]):
        data = load(((images, WORDS), (images[:3], WORDS[:3])))
        assert data.classes == ("w0", "w1", "w2")
        assert np.array_equal(data.train.images[..., 0], PIXELS)
    pairs = load(list(zip(paths, WORDS, strict=True)), size=6)
    assert (pairs.shape, len(pairs.train), pairs.name) == ((6, 6, 1), 9, "pictures")
    with pytest.raises(DataError, match=r"of 13 pictures, 1 cannot .*\n  sample 12 does not exist"):
        load(([*paths, "no.png"], [*WORDS, "w0"]))
    with pytest.raises(DataError, match="sample 0 of the test part does not exist"):
        load(((paths, WORDS), (["no.png"], ["w0"])))


def test_mixtures_are_refused() -> None:
    picture = Image.fromarray(PIXELS[0])
    with pytest.raises(DataError, match="sample 1 is ndarray, where others are pictures"):
        load([(picture, 0), (PIXELS[1], 0)])
    with pytest.raises(DataError, match="one part holds arrays, the other pictures"):
        load(([(picture, 0)], [(PIXELS[1], 0)]))
    with pytest.raises(DataError, match="2 images but 1 labels"):
        load(([picture, picture], [0]))


def test_a_sample_that_cannot_be_had_is_not_taken_for_a_full_disk() -> None:
    class Broken(Torchlike):
        def __getitem__(self, number: int) -> tuple[Any, Any]:
            if number == 5 and self.asked:
                raise OSError("the network is gone")
            self.asked = self.asked or number == 11
            return super().__getitem__(number)

        asked = False

    with pytest.raises(DataError, match=r"sample 5: cannot be read \(the network is gone\)"):
        load(Broken(tensors=False))
