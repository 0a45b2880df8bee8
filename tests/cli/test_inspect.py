"""`gradsum inspect`: its figures against those worked out by hand from the layers' definitions."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.command import Gradsum

# name, input, output, parameters, then the products of the direct formula: outputs x inputs of each output
LETTERS: list[tuple[str, list[int], list[int], int, int]] = [
    ("c1+pool1", [28, 28, 1], [13, 13, 32], 9 * 32 + 32, 26 * 26 * 32 * 9),
    ("c2+pool2", [13, 13, 32], [6, 6, 64], 9 * 32 * 64 + 64, 11 * 11 * 64 * 9 * 32),
    ("c3+pool3", [6, 6, 64], [2, 2, 128], 9 * 64 * 128 + 128, 4 * 4 * 128 * 9 * 64),
    ("flatten1", [2, 2, 128], [512], 0, 0),
    ("fc1", [512], [64], 512 * 64 + 64, 512 * 64),
    ("gelu1", [64], [64], 0, 0),
    ("fc2", [64], [128], 64 * 128 + 128, 64 * 128),
    ("gelu2", [128], [128], 0, 0),
    ("fc3", [128], [26], 128 * 26 + 26, 128 * 26),
]
# A 5 x 5 convolution that moves by 2 and is padded by 1: (9 + 2 - 5) / 2 + 1 = 4 places either way.
STRIDED: list[tuple[str, list[int], list[int], int, int]] = [
    ("c1", [9, 9, 3], [4, 4, 4], 25 * 3 * 4 + 4, 4 * 4 * 4 * 25 * 3),
    ("c2", [4, 4, 4], [3, 3, 5], 4 * 4 * 5 + 5, 3 * 3 * 5 * 4 * 4),
    ("flatten1", [3, 3, 5], [45], 0, 0),
    ("fc1", [45], [7], 45 * 7 + 7, 45 * 7),
]
STRIDED_FILE = """
[[layers]]
type = "Conv2d"
filters = 4
kernel = 5
stride = 2
padding = 1
[[layers]]
type = "Conv2d"
filters = 5
kernel = 2
[[layers]]
type = "Flatten"
[[layers]]
type = "Dense"
features = 7
"""


def model(name: str) -> tuple[list[Any], list[tuple[str, list[int], list[int], int, int]]]:
    """Return the arguments for a model, and what is known of it."""
    if name == "letters":
        return ["letters"], LETTERS
    Path("strided.toml").write_text(STRIDED_FILE)
    return ["strided.toml", "--shape", 9, 9, 3], STRIDED


@pytest.mark.parametrize("name", ["letters", "strided"])
@pytest.mark.parametrize("microbatch", [1, 16])
def test_the_figures_are_those_of_the_definitions(gradsum: Gradsum, name: str, microbatch: int) -> None:
    arguments, expected = model(name)
    answer = gradsum("inspect", *arguments, "--microbatch", microbatch, "--json")
    assert (answer.code, answer.err, len(answer.out.splitlines())) == (0, "", 1)
    operations: Any = answer.json()
    assert [o["name"] for o in operations] == [row[0] for row in expected]
    for o, (_, input_, output, parameters, products) in zip(operations, expected, strict=True):
        assert (o["input"], o["output"], o["parameters"]) == (input_, output, parameters)
        assert o["flops_forward"] == 2 * products, "a multiplication and an addition each"
        # Backward: as much for the parameters, and as much for the input, where that is not the images.
        assert o["flops_backward"] == 2 * products * (1 if o is operations[0] else 2)
        assert 1 <= o["chunk"] <= microbatch
        assert o["memory"] % o["chunk"] == 0 < o["memory"], "the same for every sample"
        values = sum(len(list(np.ndindex(*shape))) for shape in (input_, output))
        assert o["bytes"] == 4 * (values + parameters // o["chunk"]), "float32, the parameters shared by a chunk"


def test_the_table(gradsum: Gradsum) -> None:
    answer = gradsum("inspect", "letters")
    assert (answer.code, answer.err) == (0, "")
    _, head, *rows, last = [line.split() for line in answer.out.splitlines()]
    assert head == ["layers", "kernel", "input", "output", "parameters", "MFLOP", "backward", "kB", "at", "once"]
    assert len(rows) == len(LETTERS)
    for cells, (name, input_, output, parameters, products) in zip(rows, LETTERS, strict=True):
        shapes = ["x".join(map(str, shape)) for shape in (input_, output)]
        assert [cells[0], *cells[2:4]] == [name, *shapes]
        assert (cells[4], cells[5]) == (f"{parameters:,}", f"{2 * products / 1e6:.3f}")
    flops = 2 * sum(row[4] * (2 if number == 0 else 3) for number, row in enumerate(LETTERS))
    assert last == [*f"137,178 parameters, {flops / 1e6:.1f} MFLOP per sample and step, numpy kernels".split()]


@pytest.mark.parametrize("name", ["letters", "mlp", "lenet", "resnet8", "vgg7"])
def test_the_table_fits_into_a_terminal_of_80_columns(
    gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    answer = gradsum("inspect", name)
    assert max(map(len, answer.out.splitlines())) <= 80
    assert "…" not in answer.out


@pytest.mark.parametrize("name", ["mlp", "lenet", "resnet8", "vgg7"])
def test_built_in_models_fit_the_shape_and_the_classes(gradsum: Gradsum, name: str) -> None:
    operations: Any = gradsum("inspect", name, "--shape", 32, 32, 3, "--classes", 10, "--json").json()
    assert (operations[0]["input"], operations[-1]["output"]) == ([32, 32, 3], [10])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "required: MODEL"),
        ("lettres", "no model or file 'lettres': use letters, mlp, lenet"),
        ("letters --microbatch 0", "microbatch must be a whole number from 1 to 4096, got 0"),
        ("letters --microbatch 99999999999", "microbatch must be a whole number from 1 to 4096, got 99999999999"),
        ("letters --classes 0", "features must be a whole number from 1 to 1048576, got 0"),
        ("letters --classes 999999999999", "features must be a whole number from 1 to 1048576, got 999999999999"),
        ("letters --shape 28 28", "got (28, 28); or (D,), the number of features"),
        ("letters --shape 0 28 1", "whole numbers from 1 to 65536, got (0, 28, 1)"),
        ("letters --shape 28 28 x", "invalid int value: 'x'"),
        ("letters --shape 2 2 1", "c1"),
        ("model.toml", "model.toml: layer 1: no layer type 'Dens'"),
    ],
)
def test_bad_usage(gradsum: Gradsum, arguments: str, said: str) -> None:
    Path("model.toml").write_text("[[layers]]\ntype = 'Dens'")
    answer = gradsum("inspect", *arguments.split())
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert len(answer.err.splitlines()) == 1


def test_a_model_that_no_machine_has_memory_for(gradsum: Gradsum) -> None:
    head, tail = (
        '[[layers]]\ntype = "Conv2d"\n',
        '[[layers]]\ntype = "Flatten"\n[[layers]]\ntype = "Dense"\nfeatures = 2\n',
    )
    Path("model.toml").write_text(f"{head}filters = 1048576\nkernel = 1048576\npadding = 1048575\n{tail}")
    answer = gradsum("inspect", "model.toml")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    size = 1048576**3 + 1048576 + (28 + 1048575) ** 2 * 1048576 * 2 + 2
    assert answer.err == f"gradsum: the model has {size:,} parameters; 1,099,511,627,776 is the limit\n"
