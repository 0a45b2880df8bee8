"""`gradsum evaluate` and `gradsum predict`: figures and letters for what is in files of many kinds."""

import json
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import engine
from engine.data.letters import letters
from engine.data.reading import read_images
from engine.errors import DataError
from tests.support.command import SMALL, Gradsum, save_data

Bytes = NDArray[np.uint8]


@pytest.fixture
def trained(gradsum: Gradsum) -> dict[str, Any]:
    """Return what `--json` said of a run of 20 epochs on data.npz."""
    save_data()
    answer = gradsum(*SMALL, "--epochs", 20, "--lr", 0.003, "--db", "r.db", "--out", "out", "--quiet", "--json")
    return answer.json()


def images() -> Bytes:
    pixels: Bytes = np.load("data.npz")["test_images"]
    return pixels


def test_evaluate_agrees_with_the_last_validation(gradsum: Gradsum, trained: dict[str, Any]) -> None:
    for place in ("out", trained["checkpoint"]):
        answer = gradsum("evaluate", place, "--json")
        assert (answer.code, answer.err) == (0, "")
        expected = trained["validation"]
        assert answer.json() == {"data": "data", "generated": False, "part": "validation"} | expected | {
            "loss": answer.json()["loss"]
        }
        assert answer.json()["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    said = gradsum("evaluate", "out").out.splitlines()
    assert said[0] == f"{expected['percent']:.2f} % correct ({expected['correct']} of 12 data, validation part)"
    assert said[1] == f"mean loss {expected['loss']:.4f}"


def test_evaluate_tells_one_class_from_another(gradsum: Gradsum, trained: dict[str, Any]) -> None:
    guesses = engine.load_network("out").predict(images())
    labels = np.load("data.npz")["test_labels"]
    rows = gradsum("evaluate", "out", "--by-class", "--json").json()["classes"]
    assert [row["number"] for row in rows] == [0, 1, 2]
    for k, row in enumerate(rows):
        right = int(((guesses == k) & (labels == k)).sum())
        assert (row["samples"], row["answers"], row["correct"]) == ((labels == k).sum(), (guesses == k).sum(), right)
        assert row["recall"] == pytest.approx(right / (labels == k).sum())
    told = gradsum("evaluate", "out", "--by-class").out.splitlines()
    assert told[2].split() == ["class", "samples", "answers", "correct", "recall", "precision", "F1"]
    assert [line.split()[1] for line in told[3:]] == [str(row["samples"]) for row in rows]


def test_the_best_of_a_folder_is_a_word_away(gradsum: Gradsum) -> None:
    save_data()
    places = ("--db", "r.db", "--out", "out", "--quiet", "--json")
    trained = gradsum(*SMALL, "--steps", 60, "--lr", 0.01, "--validate-every", 3, *places).json()
    best, last = trained["best"], trained["validation"]
    assert best["step"] < 60, "otherwise this says nothing"
    assert best["loss"] != pytest.approx(last["loss"], rel=1e-3)
    for options, seen in ((["--best"], best), ([], last)):
        found = gradsum("evaluate", "out", *options, "--json").json()
        assert (found["percent"], found["loss"]) == (seen["percent"], pytest.approx(seen["loss"], rel=1e-5))
    np.save("some.npy", images())
    assert gradsum("predict", "out", "some.npy", "--best").out == gradsum("predict", best["checkpoint"], "some.npy").out
    answer = gradsum("evaluate", best["checkpoint"], "--best")
    assert (answer.code, answer.out) == (2, "")
    assert "is one checkpoint; the best is chosen from a folder of them" in answer.err
    figures = f"{best['percent']:.2f} {last['percent']:.2f}"
    assert figures in gradsum("runs", "--db", "r.db").out
    assert str(Path(best["checkpoint"]).absolute()) in gradsum("show", 1, "--db", "r.db").out
    Path(best["checkpoint"]).unlink()
    assert figures.replace(" ", "* ") in gradsum("runs", "--db", "r.db").out
    [line] = [line for line in gradsum("show", 1, "--db", "r.db").out.splitlines() if "best_checkpoint" in line]
    assert line.split()[1] == "-"
    assert f"that of step {best['step']}, is not there any more" in gradsum("evaluate", "out", "--best").err


def test_evaluate_takes_other_data_and_says_if_its_classes_have_other_names(
    gradsum: Gradsum, trained: dict[str, Any]
) -> None:
    save_data("other.npz", seed=5)
    answer = gradsum("evaluate", "out", "--data", "other.npz")
    assert (answer.code, answer.err) == (0, "")
    assert "of 12 other, validation part)" in answer.out
    save_data("two.npz", classes=2)
    answer = gradsum("evaluate", "out", "--data", "two.npz")
    assert answer.code == 0
    assert answer.err.startswith("gradsum: the network was trained on other classes, 3 (0, 1, 2...)")


def test_generated_data_is_called_so(gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch) -> None:
    small = letters(train=60, test=20, seed=1)
    monkeypatch.setattr("engine.data.letters.cached_letters", lambda: small)
    gradsum("train", "--model", "mlp", "--steps", 1, "--workers", 0, "--db", "r.db", "--out", "out")
    assert "of 20 generated letters, validation part)" in gradsum("evaluate", "out").out
    assert gradsum("evaluate", "out", "--json").json()["generated"] is True


def test_data_from_python_has_to_be_named(gradsum: Gradsum) -> None:
    data = letters(train=60, test=20, seed=1)
    engine.train("mlp", data, workers=0, steps=1, db="r.db", out="out")
    answer = gradsum("evaluate", "out")
    assert answer.code == 2
    assert "does not say where its data came from" in answer.err
    assert "--data" in answer.err
    answer = gradsum("train", "--resume", "out", "--steps", 2)
    assert answer.code == 2
    assert "data given in Python (letters)" in answer.err


def test_predict_reads_pictures_and_arrays_alike(gradsum: Gradsum, trained: dict[str, Any]) -> None:
    some = images()
    network = engine.load("out")
    expected = [network.classes[k] for k in network.predict(some)]
    Image.fromarray(some[0]).save("0.png")
    Image.fromarray(some[1]).save("1.pgm")
    Image.fromarray(some[2]).convert("RGB").save("2.bmp")
    np.save("3.npy", some[3])
    np.save("rest.npy", some[4:])
    np.save("axis.npy", some[4:, :, :, None])
    answer = gradsum("predict", "out", "0.png", "1.pgm", "2.bmp", "3.npy", "rest.npy", "axis.npy", "--json")
    assert (answer.code, answer.err) == (0, "")
    found: Any = answer.json()
    assert [x["class"] for x in found] == expected + expected[4:]
    assert [x["image"] for x in found[:5]] == ["0.png", "1.pgm", "2.bmp", "3.npy", "rest.npy[0]"]
    assert all(1 / 3 <= x["probability"] <= 1 for x in found)
    lines = gradsum("predict", "out", "0.png", "3.npy").out.splitlines()
    assert lines[0] == f"0.png  {expected[0]}  {100 * found[0]['probability']:.1f} %"
    assert lines[1].startswith(f"3.npy  {expected[3]}  ")


def test_dark_on_light_can_be_inverted(gradsum: Gradsum, trained: dict[str, Any]) -> None:
    Image.fromarray(images()[0]).save("white.png")
    Image.fromarray(255 - images()[0]).save("black.png")
    white = gradsum("predict", "out", "white.png").out
    assert gradsum("predict", "out", "black.png", "--invert").out == white.replace("white", "black")


def test_pictures_of_sixteen_bits_keep_their_greys(tmp_path: Path) -> None:
    grey = np.arange(256, dtype=np.uint16).reshape(16, 16)
    wanted = grey.astype(np.uint8)[None, :, :, None]
    Image.fromarray(grey * 257).save("deep.png")
    header = b"P5 16 16 65535\n"
    Path("deep.pgm").write_bytes(header + (grey * 257).astype(">u2").tobytes())
    for name in ("deep.png", "deep.pgm"):
        assert np.array_equal(read_images(Path(name), (16, 16, 1)), wanted), name


def test_colours_are_kept_where_the_network_sees_them() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("colour.png")
    np.save("colour.npy", pixels)
    for name in ("colour.png", "colour.npy"):
        assert np.array_equal(read_images(Path(name), (6, 7, 3)), pixels[None]), name
    Image.fromarray(pixels[..., 0]).save("grey.png")
    assert np.array_equal(read_images(Path("grey.png"), (6, 7, 3)), np.repeat(pixels[None, ..., :1], 3, axis=3))


@pytest.mark.parametrize("side", [9_000, 15_000, 1 << 30])
def test_huge_pictures_are_refused_before_they_are_unpacked(side: int) -> None:
    chunks = ((b"IHDR", struct.pack(">2I5B", side, side, 8, 0, 0, 0, 0)), (b"IDAT", b""))
    content = [struct.pack(">I", len(x)) + kind + x + struct.pack(">I", zlib.crc32(kind + x)) for kind, x in chunks]
    Path("huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(content))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DataError, match=r"^huge\.png"):
            read_images(Path("huge.png"), (28, 28, 1))


def test_answers_of_one_call_are_one_line_of_json(gradsum: Gradsum, trained: dict[str, Any]) -> None:
    np.save("all.npy", images())
    out = gradsum("predict", "out", "all.npy", "--json").out
    assert len(out.splitlines()) == 1
    assert len(json.loads(out)) == 12
