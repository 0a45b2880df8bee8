"""One picture of every odd kind: training and predict see what a person sees."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engine.data.background import background, contrasting, nearest
from engine.data.dataset import Dataset
from engine.data.normalisation import Normalisation
from engine.data.picture import Form, facts, read, strict
from engine.data.reading import Manner, flat, read_images
from engine.data.split import Split
from engine.errors import DataError

Pixels = NDArray[np.uint8]
# Not symmetric in any way, so that every turn shows.
GREY: Pixels = np.array([[0, 60, 120], [180, 240, 255]], np.uint8)
COLOUR: Pixels = np.stack([GREY, 255 - GREY, GREY // 2], axis=2)
GREY_FORM, COLOUR_FORM = Form(2, 3, 1, (200,)), Form(2, 3, 3, (10, 20, 30))


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def grey(content: bytes, form: Form = GREY_FORM) -> list[list[int]]:
    found: list[list[int]] = read(content, form)[..., 0].tolist()
    return found


def turned(image: Image.Image, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(image, exif=exif)


def stored_turned(pixels: Pixels, orientation: int) -> Pixels:
    """Return how a camera held that way stores what is seen as `pixels` (EXIF 2.32, tag Orientation)."""
    undo: dict[int, Callable[[Pixels], Pixels]] = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.swapaxes(0, 1),
        6: lambda p: np.rot90(p, 1),
        7: lambda p: np.rot90(p.swapaxes(0, 1), 2),
        8: lambda p: np.rot90(p, -1),
    }
    return np.ascontiguousarray(undo[orientation](pixels))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_exif_says(orientation: int) -> None:
    content = turned(Image.fromarray(stored_turned(GREY, orientation)), orientation)
    assert grey(content) == GREY.tolist()
    seen = facts(content)
    assert (seen.height, seen.width, seen.turned) == (2, 3, orientation != 1)


def test_the_first_row_and_column_are_where_exif_says() -> None:
    # 6: "the 0th row is the visual right-hand side, the 0th column is the visual top".
    stored = np.array([[1, 2], [3, 4]], np.uint8)
    assert grey(turned(Image.fromarray(stored), 6), Form(2, 2, 1, (0,))) == [[3, 1], [4, 2]]


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_orientation_that_does_not_exist_is_ignored(orientation: int) -> None:
    assert grey(turned(Image.fromarray(GREY), orientation)) == GREY.tolist()


def test_damaged_exif_leaves_the_picture_as_it_is_stored() -> None:
    content = saved(Image.fromarray(GREY), exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    with strict():
        assert grey(content) == GREY.tolist()


def test_transparent_parts_show_the_background() -> None:
    alpha = np.array([[0, 255, 128], [0, 255, 255]], np.uint8)
    laid = [[200, 60, round((120 * 128 + 200 * 127) / 255)], [200, 240, 255]]
    assert grey(saved(Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(alpha)]))) == laid
    rgba = np.concatenate([np.repeat(GREY[..., None], 3, 2), alpha[..., None]], 2)
    for kind in ("PNG", "TIFF"):
        assert grey(saved(Image.fromarray(rgba), kind)) == laid
    colours = read(saved(Image.fromarray(rgba)), COLOUR_FORM)
    assert colours[0, 0].tolist() == [10, 20, 30]
    assert colours[0, 1].tolist() == [60, 60, 60]


def test_a_transparent_colour_of_a_palette_or_of_grey_shows_the_background() -> None:
    palette = Image.fromarray(np.array([[0, 1, 2], [2, 1, 0]], np.uint8)).convert("P")
    palette.putpalette([0, 0, 0, 60, 60, 60, 120, 120, 120])
    for transparency in (1, bytes([255, 0, 255])):
        assert grey(saved(palette, transparency=transparency)) == [[0, 200, 120], [120, 200, 0]]
    assert grey(saved(Image.fromarray(GREY), transparency=240)) == [[0, 60, 120], [180, 200, 255]]


def test_a_palette_is_looked_up() -> None:
    palette = Image.fromarray(np.array([[0, 1, 2], [2, 1, 0]], np.uint8)).convert("P")
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    for kind in ("PNG", "GIF", "BMP"):
        found = read(saved(palette, kind), COLOUR_FORM)
        assert found[0].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]], kind


def test_two_levels_are_black_and_white() -> None:
    assert grey(saved(Image.fromarray(GREY > 100))) == [[0, 0, 255], [255, 255, 255]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_keep_their_greys(kind: str) -> None:
    assert grey(saved(Image.fromarray(GREY.astype(np.uint16) * 257), kind)) == GREY.tolist()


def test_sixteen_bits_are_rounded_not_cut_off() -> None:
    deep = np.array([[128, 129, 300], [65535, 65407, 0]], np.uint16)
    assert grey(saved(Image.fromarray(deep), "TIFF")) == np.rint(deep / 257).tolist()


def png(depth: int, kind: int, line: bytes, key: bytes) -> bytes:
    """Return a PNG of one line of two pixels, written by hand; the colour `key` stands for transparency."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", 2, 1, depth, kind, 0, 0, 0)
    body = zlib.compress(b"\0" + line)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*part) for part in ((b"IHDR", head), (b"tRNS", key), (b"IDAT", body), (b"IEND", b""))
    )


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_one_grey_may_stand_for_transparency(bits: int) -> None:
    """The key is in units of the file (PNG, third edition, 11.3.1.1), whatever a library makes of the pixels."""
    most = (1 << bits) - 1
    line = int(f"{most:0{bits}b}{0:0{bits}b}".ljust(-(-2 * bits // 8) * 8, "0"), 2).to_bytes(-(-2 * bits // 8), "big")
    form = Form(1, 2, 1, (77,))
    assert read(png(bits, 0, line, struct.pack(">H", most)), form)[..., 0].tolist() == [[77, 0]]
    assert read(png(bits, 0, line, struct.pack(">H", 0)), form)[..., 0].tolist() == [[255, 77]]


@pytest.mark.parametrize("bits", [8, 16])
def test_one_colour_may_stand_for_transparency(bits: int) -> None:
    pixels = [(200, 100, 50), (3, 7, 11)] if bits == 8 else [(51200, 25700, 12850), (1000, 2000, 3000)]
    line = struct.pack(f">6{'B' if bits == 8 else 'H'}", *pixels[0], *pixels[1])
    for number, other in ((0, [3, 7, 11]), (1, [200, 100, 50])):
        found = read(png(bits, 2, line, struct.pack(">3H", *pixels[number])), Form(1, 2, 3, (9, 8, 7)))
        assert found[0].tolist()[number] == [9, 8, 7]
        assert found[0].tolist()[1 - number] == other


def test_more_than_sixteen_bits_are_refused() -> None:
    deep = saved(Image.fromarray(np.array([[0, 1, 70_000], [0, 0, 0]], np.int32)), "TIFF")
    with pytest.raises(DataError, match="values from 0 to 70000; 16 bits"):
        read(deep, GREY_FORM)


@pytest.mark.parametrize("scale", [1, 255])
def test_floats_are_from_0_to_1_or_bytes(scale: int) -> None:
    values = (GREY / 255 if scale == 1 else GREY).astype(np.float32)
    assert grey(saved(Image.fromarray(values), "TIFF")) == GREY.tolist()


@pytest.mark.parametrize(("value", "reason"), [(-1, "add 1 and divide by 2"), (0.5, "fractions"), (np.nan, "finite")])
def test_other_floats_are_refused(value: float, reason: str) -> None:
    values = GREY.astype(np.float32) if value == 0.5 else np.zeros((2, 3), np.float32)
    values[0, 0] = value
    with pytest.raises(DataError, match=f"holds floats, and they .*{reason}"):
        read(saved(Image.fromarray(values), "TIFF"), GREY_FORM)


def test_ink_of_cmyk_is_dark() -> None:
    ink = np.zeros((2, 3, 4), np.uint8)
    ink[0, 0], ink[0, 1] = (0, 0, 0, 255), (0, 255, 255, 0)
    for kind in ("TIFF", "JPEG"):
        image = Image.fromarray(np.kron(ink, np.ones((16, 16, 1), np.uint8)), "CMYK")
        found = read(saved(image, kind), Form(32, 48, 3, (0, 0, 0)))[::16, ::16].astype(int)
        wanted = np.full((2, 3, 3), 255)
        wanted[0, 0], wanted[0, 1] = 0, (255, 0, 0)
        assert abs(found - wanted).max() < 24, kind  # JPEG is not exact


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_several_frames_are_refused(kind: str) -> None:
    frames = [Image.fromarray(COLOUR), Image.fromarray(255 - COLOUR)]
    content = saved(frames[0], kind, save_all=True, append_images=frames[1:])
    for look in (facts, lambda c: read(c, COLOUR_FORM)):
        with pytest.raises(DataError, match="has 2 frames; save the one"):
            look(content)


def test_the_second_picture_in_a_phones_jpeg_is_its_own_affair() -> None:
    wide = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    found = read(saved(wide[0], "MPO", save_all=True, append_images=wide[1:]), Form(16, 16, 3, (0, 0, 0)))
    assert found[0, 0, 0] > 250
    assert found[0, 0, 2] < 5


def test_postscript_is_never_run(tmp_path: Path) -> None:
    (tmp_path / "a.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 3 2\n%%EndComments\nshowpage\n")
    with pytest.raises(DataError, match="not in a known picture format"):
        facts(str(tmp_path / "a.eps"))


def huge(side: int) -> bytes:
    chunks = ((b"IHDR", struct.pack(">2I5B", side, side, 8, 0, 0, 0, 0)), (b"IDAT", b""))
    made = [struct.pack(">I", len(x)) + kind + x + struct.pack(">I", zlib.crc32(kind + x)) for kind, x in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_a_picture_made_to_fill_memory_is_refused_by_its_header(side: int) -> None:
    with strict(), pytest.raises(DataError, match="more than 89,478,485 pixels, the limit"):
        facts(huge(side))


def test_what_is_damaged_or_missing_is_said(tmp_path: Path) -> None:
    whole = saved(Image.fromarray(np.random.default_rng(1).integers(0, 256, (2, 3), np.uint8)), "PNG")
    with pytest.raises(DataError, match="is damaged or cannot be read"):
        read(whole[:45], GREY_FORM)
    for content, reason in ((b"", "known picture format"), (b"hello", "known picture format")):
        with pytest.raises(DataError, match=reason):
            facts(content)
    with pytest.raises(DataError, match="does not exist"):
        facts(str(tmp_path / "no.png"))
    with pytest.raises(DataError, match="is a folder"):
        facts(str(tmp_path))


def test_another_size_is_refused_or_fitted_whole() -> None:
    content = saved(Image.fromarray(np.full((2, 6), 99, np.uint8)))
    with pytest.raises(DataError, match=r"is 2x6, not 2x3 \(height x width\)"):
        read(content, GREY_FORM)
    fitted = np.array(grey(content, Form(3, 3, 1, (200,), fit=True)))
    assert fitted.tolist() == [[200] * 3, [99] * 3, [200] * 3]
    enlarged = grey(saved(Image.fromarray(GREY)), Form(4, 6, 1, (0,), fit=True))
    assert enlarged[0][0] == 0
    assert enlarged[3][5] == 255


def test_colour_becomes_grey_and_grey_colour() -> None:
    assert grey(saved(Image.fromarray(np.repeat(GREY[..., None], 3, 2)))) == GREY.tolist()
    assert read(saved(Image.fromarray(GREY)), COLOUR_FORM).tolist() == np.repeat(GREY[..., None], 3, 2).tolist()


def test_the_background_is_the_colour_that_most_corners_have() -> None:
    images = np.random.default_rng(3).integers(0, 256, (4001, 5, 6, 3), np.uint8)
    images[:3000, ::4, ::5] = (250, 240, 230)
    labels = np.zeros(len(images), np.int32)
    assert background(Split(images, labels)) == (250, 240, 230)
    assert background(Split(images[:1, :1, :1], labels[:1])) == (250, 240, 230)
    assert (contrasting(10, 1), contrasting(200, 3)) == ((255,), (0, 0, 0))
    assert (nearest((20.0,)), nearest((100.0, 200.0, 250.0))) == ((0,), (255, 255, 255))


def test_the_manner_of_a_training_set_is_kept_for_predict() -> None:
    split = Split(np.full((3, 2, 2, 1), 77, np.uint8), np.zeros(3, np.int32))
    manner = Manner.of(Dataset("d", ("a",), split, split, scaled=True))
    assert manner == Manner((77,), True)
    normalisation = Normalisation((200.0,), (1.0,))
    assert Manner.stored({"background": [77], "scaled": True}, normalisation) == manner
    assert manner.inverted() == Manner((178,), True)
    for damaged in ({}, {"background": [1, 2]}, {"background": [-1]}, {"background": "x"}, {"background": ["x"]}):
        assert Manner.stored(damaged, normalisation) == Manner((255,))


def test_predict_reads_with_the_same_eyes(tmp_path: Path) -> None:
    alpha = np.full((2, 3), 255, np.uint8)
    alpha[0, 0] = 0
    image = Image.merge("LA", [Image.fromarray(GREY + 5), Image.fromarray(alpha)]).transpose(Image.Transpose.ROTATE_90)
    path = tmp_path / "odd.png"
    path.write_bytes(turned(image, 6))
    manner = Manner((200,))
    assert read_images(path, (2, 3, 1), manner).tolist() == [read(str(path), GREY_FORM).tolist()]
    assert read_images(path, (2, 3, 1), manner)[0, 0, 0, 0] == 200
    assert read_images(path, (4, 4, 1), Manner((200,), scaled=True)).shape == (1, 4, 4, 1)
    with pytest.raises(DataError, match=r"odd.png is 2x3x1; the network takes images of 4x4x1"):
        read_images(path, (4, 4, 1), manner)


def test_one_flat_colour_is_seen() -> None:
    images = np.zeros((3, 2, 2, 3), np.uint8)
    images[0] = (1, 2, 3)
    images[1, 1, 1, 2] = 1
    assert flat(images).tolist() == [True, False, True]
    assert flat(images[:, :1, :1]).tolist() == [False] * 3
