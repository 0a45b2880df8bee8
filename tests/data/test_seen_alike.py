"""Odd pictures, from the folder to the answer: a network is trained on them and asked about more of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import engine
from engine.data import load
from tests.support.command import Gradsum

Pixels = NDArray[np.uint8]
SIDE = 12
RNG = np.random.default_rng(17)


def drawn(label: int) -> Pixels:
    """Draw a dark bar on white paper: its column is the class, so that turning and mirroring show."""
    pixels = RNG.integers(220, 256, (SIDE, SIDE), np.uint8)
    pixels[0:9, 3 * label] = RNG.integers(0, 40, 9)
    return pixels


def plain(pixels: Pixels, path: Path) -> None:
    Image.fromarray(pixels).save(path.with_suffix(".png"))


def turned(pixels: Pixels, path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.ascontiguousarray(np.rot90(pixels))).save(path.with_suffix(".png"), exif=exif)


def transparent(pixels: Pixels, path: Path) -> None:
    ink = np.zeros((*pixels.shape, 4), np.uint8)
    ink[..., 3] = np.where(pixels < 100, 255, 0)
    Image.fromarray(ink).save(path.with_suffix(".png"))


def sixteen(pixels: Pixels, path: Path) -> None:
    Image.fromarray(pixels.astype(np.uint16) * 257).save(path.with_suffix(".tif"))


def palette(pixels: Pixels, path: Path) -> None:
    Image.fromarray(pixels).convert("P", palette=Image.Palette.ADAPTIVE).save(path.with_suffix(".gif"))


def cmyk(pixels: Pixels, path: Path) -> None:
    Image.fromarray(pixels).convert("CMYK").save(path.with_suffix(".tif"))


def floats(pixels: Pixels, path: Path) -> None:
    Image.fromarray((pixels / 255).astype(np.float32)).save(path.with_suffix(".tiff"))


KINDS: list[Callable[[Pixels, Path], None]] = [plain, turned, transparent, sixteen, palette, cmyk, floats]


@pytest.mark.parametrize("size", [None, 24])
def test_odd_pictures_are_answered_as_a_person_sees_them(gradsum: Gradsum, size: int | None) -> None:
    for number in range(196):
        folder = Path(f"drawings/{'abcd'[number % 4]}")
        folder.mkdir(parents=True, exist_ok=True)
        KINDS[number % 7](drawn(number % 4), folder / str(number))
    data = load("drawings", size=size)
    assert "grey, 12x12 pixels" in data.notes or size
    result = engine.train("mlp", data, workers=0, epochs=25, batch_size=32, lr=0.01, db="x.db", out="out")
    assert result.validation is not None
    assert result.validation.percent == 100
    Path("asked").mkdir()
    for label in range(4):
        for number, kind in enumerate(KINDS):
            kind(drawn(label), Path(f"asked/{'abcd'[label]}{number}"))
    asked = sorted(Path("asked").iterdir())
    answer = gradsum("predict", "out", *asked, "--json")
    assert (answer.code, answer.err) == (0, "")
    found: list[dict[str, str]] = answer.json()  # type: ignore[assignment]
    assert [(one["image"], one["class"]) for one in found] == [(str(path), path.name[0]) for path in asked]


def test_ink_on_nothing_is_inverted_as_a_whole(gradsum: Gradsum) -> None:
    for label in range(4):
        for number in range(12):
            path = Path(f"bright/{label}/{number}")
            path.parent.mkdir(parents=True, exist_ok=True)
            seen = drawn(label)
            plain(np.where(seen > 100, 0, 255 - seen).astype(np.uint8), path)
        transparent(drawn(label), Path(str(label)))
    engine.train("mlp", "bright", workers=0, epochs=40, batch_size=16, lr=0.01, db="x.db", out="out")
    names = [f"{label}.png" for label in range(4)]
    assert [line.split()[1] for line in gradsum("predict", "out", "--invert", *names).out.splitlines()] == list("0123")
    flat = gradsum("predict", "out", "0.png")
    assert (flat.code, flat.err) == (0, "gradsum: 0.png shows one flat colour\n")
