"""`--import`: what a person sees who trains with layers and a loss of their own."""

import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
from engine.checkpoint import load
from engine.cli.commands.export import ENDINGS
from tests.support.command import SMALL, Gradsum, save_data
from tests.support.own_code import EXAMPLE, LAYER, MODEL, OWN_MODEL, forgotten, write

RUN = (*SMALL[:3], *SMALL[5:], "--model", "own.toml", "--steps", 4, "--out", "out", "--db", "r.db", "--quiet", "--json")

CONFIG = """
import = "mylayers.py"
model = "model.toml"
data = "data.npz"
steps = 3
batch-size = 8
workers = 0
"""


@pytest.fixture(autouse=True)
def forgets() -> Iterator[None]:
    """Forget the modules of each test."""
    with forgotten():
        yield


@pytest.fixture
def trained(gradsum: Gradsum) -> Path:
    """Return the folder of a network with a layer of one's own."""
    save_data()
    write("mine.py", LAYER)
    write("own.toml", OWN_MODEL)
    assert gradsum(*RUN, "--import", "mine").code == 0
    return Path("out")


def test_the_example_of_the_documentation_runs(gradsum: Gradsum) -> None:
    save_data()
    write("mylayers.py", EXAMPLE)
    write("model.toml", MODEL)
    write(
        "run.toml",
        'import = "mylayers.py"\nmodel = "model.toml"\ndata = "data.npz"\nsteps = 3\nbatch-size = 8\nworkers = 0',
    )
    small = ("--out", "mine", "--db", "r.db", "--json", "--snapshot-every", 0)
    told = gradsum("train", "--config", "run.toml", *small)
    assert told.code == 0, told.err
    assert "own code in mylayers: numpy computes there, so these bits hold for this kind of processor" in told.err
    assert "own code mylayers " in load("mine").run.versions["numerics"]
    parallel = gradsum("train", "--config", "run.toml", "--workers", 2, *small[2:], "--out", "other")
    assert parallel.json()["params_sha256"] == told.json()["params_sha256"]
    kappa = told.json()["validation"]["metrics"]["kappa"]
    assert f"% correct, kappa {kappa:.6g} (" in told.out
    rows = gradsum("show", 1, "--db", "r.db", "--json")
    assert json.loads(json.loads(rows.out)["validation"][-1]["metrics"]) == {"kappa": kappa}
    assert f"{kappa:.6g}" in gradsum("show", 1, "--db", "r.db").out
    assert gradsum("plot", "progress", "--run", 1, "--db", "r.db", "--out", "progress.png").code == 0
    assert gradsum("plot", "workers", "--run", 2, "--db", "r.db", "--out", "workers.png").code == 0
    page = gradsum("report", 1, "--db", "r.db", "--import", "mylayers", "--out", "page.html")
    assert page.code == 0, page.err
    assert ">kappa</th>" in Path("page.html").read_text()
    [table] = [gradsum("evaluate", "mine", "--import", "mylayers", "--by-class", "--json").json()["classes"]]
    seen = {name: np.array([row[name] for row in table]) for name in ("samples", "answers", "correct")}
    chance = (seen["samples"] * seen["answers"]).sum() / 12**2
    assert kappa == pytest.approx((seen["correct"].sum() / 12 - chance) / (1 - chance))
    again = gradsum("evaluate", "mine", "--import", "mylayers.py", "--json")
    assert again.json()["correct"] == told.json()["validation"]["correct"]


def test_it_is_resumed_and_verified_with_the_module(gradsum: Gradsum, trained: Path) -> None:
    assert gradsum("verify", trained, "--import", "mine", "--workers", 0, "--quiet").code == 0
    on = ("train", "--resume", trained, "--steps", 6, "--quiet", "--json")
    refused = gradsum(*on)
    assert refused.code == 2
    assert refused.err == "gradsum: Own is your own, from mine, and workers must know it: give --import mine\n"
    resumed = gradsum(*on, "--import", "mine").json()["params_sha256"]
    whole = gradsum(*RUN, "--import", "mine", "--steps", 6, "--out", "whole").json()["params_sha256"]
    assert resumed == whole


def test_another_version_of_the_module_is_said(gradsum: Gradsum) -> None:
    save_data()
    write("own.toml", OWN_MODEL)
    write("mine.py", LAYER)
    with forgotten():
        gradsum(*RUN, "--import", "mine")
    missing = gradsum("evaluate", "out", "--json")
    assert (missing.code, missing.err.count("\n")) == (2, 1)
    assert "no layer type 'Own'" in missing.err
    assert "--import adds your own" in missing.err
    write("mine.py", f"{LAYER}\n# changed\n")
    resumed = gradsum("train", "--resume", "out", "--steps", 6, "--import", "mine")
    assert re.search(r"not be bit-identical .*was own code mine \w+, now own code mine \w+", resumed.err)


@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_it_is_not_exported_but_its_parameters_are(gradsum: Gradsum, trained: Path, kind: str) -> None:
    pytest.importorskip("onnx")
    refused = gradsum("export", trained, "--to", kind, "--import", "mine", "-o", f"x{ENDINGS[kind]}")
    assert refused.code == 2
    assert "layer own1: Own is a layer of your own, which" in refused.err
    assert gradsum("export", trained, "--to", "safetensors", "--import", "mine", "-o", "x.safetensors").code == 0


def test_other_commands_take_it(gradsum: Gradsum, trained: Path) -> None:
    told = gradsum("inspect", "own.toml", "--shape", 8, 8, 1, "--import", "mine.py")
    assert "own1" in told.out
    swept = gradsum(
        *("sweep", "--over", "lr=0.01,0.02", *RUN[1:-4], "--import", "mine", "--db", "s.db", "--quiet"), "--out", "sw"
    )
    assert swept.code == 0, swept.err
    assert f'import = "{Path("mine.py").absolute()}"' in next(Path("sw").rglob("best.toml")).read_text()


def test_wrong_code_is_one_line_with_its_place(gradsum: Gradsum) -> None:
    save_data()
    write("own.toml", OWN_MODEL)
    path = write("wrong.py", LAYER.replace("2 * dy", "dy"))
    told = gradsum(*RUN, "--import", "wrong")
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith(f"gradsum: {path}:10: backward of own1: its gradient of x is wrong: it gives ")
    assert told.err.count("\n") == 1
    assert not Path("out").exists()


def test_the_commands_that_a_run_prints_name_the_module(gradsum: Gradsum) -> None:
    save_data()
    write("my-own.py", LAYER)
    write("own.toml", OWN_MODEL)
    place = ("--out", "out", "--db", "r.db", "--validation", 0.2)
    run = (*SMALL[:3], *SMALL[5:], "--model", "own.toml", "--steps", 4, *place, "--import", "my-own.py")
    told = gradsum(*run, "--quiet")
    assert told.code == 0, told.err
    [line] = [line for line in told.out.splitlines() if line.startswith("test ")]
    assert gradsum(*shlex.split(line)[2:]).code == 0


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ('"b", 3, 1', r"b must have a shape of whole numbers above 0, such as \(3,\), got 3"),
        ('"b", (2.5,), 1', "b must have a shape of whole numbers above 0"),
        ('"b", (0,), 1', "b must have a shape of whole numbers above 0"),
        ('"b", (3,), 0', "b must have a fan_in that is a whole number above 0, got 0"),
        ('"b", (3,), "x"', "b must have a fan_in that is a whole number above 0, got 'x'"),
        ('"b", (3,), 1, initial=float("nan")', "b must have an initial value that is a finite float32, got nan"),
        ('"b", (3,), 1, initial=1e300', "b must have an initial value that is a finite float32"),
        ('"b b", (3,), 1', "the names of parameters must be words that differ, got 'b b'"),
        ('"b", (3,), 1), gradsum.Spec("b", (1,), 1', "the names of parameters must be words that differ, got 'b'"),
    ],
)
def test_parameters_that_cannot_be_are_one_line(gradsum: Gradsum, spec: str, said: str) -> None:
    save_data()
    write("own.toml", OWN_MODEL)
    method = f"    def parameters(self, shape):\n        return [gradsum.Spec({spec})]\n\n    def forward"
    write("wrong.py", LAYER.replace("    def forward", method))
    told = gradsum(*RUN, "--import", "wrong")
    assert (told.code, told.out, told.err.count("\n")) == (2, "", 1), told.err
    assert re.search(said, told.err), told.err


def test_a_shape_may_be_a_list_and_a_default_may_be_made(gradsum: Gradsum) -> None:
    save_data()
    write("own.toml", OWN_MODEL)
    method = """    taps: tuple = field(default_factory=lambda: (1, 2))

    def parameters(self, shape):
        return gradsum.Spec("b", [shape[-1]], 1, initial=1.0)

    def forward(self, x, b):
        return x * b, x

    def backward(self, dy, x, b):
        return dy * b, {"b": (dy * x).sum(axis=0)}
"""
    head, _ = LAYER.split("    def forward")
    write("fine.py", "from dataclasses import field\n" + head + method)
    assert gradsum(*RUN, "--import", "fine").code == 0


def test_code_that_fails_later_is_one_line_too(gradsum: Gradsum) -> None:
    save_data()
    write("own.toml", OWN_MODEL)
    path = write(
        "late.py", LAYER.replace("        return x", "        assert len(x) < 4, 'too many'\n        return x")
    )
    told = gradsum(*RUN, "--import", "late")
    assert (told.code, told.err) == (1, f"gradsum: {path}:8: in forward of own1: AssertionError: too many\n")


def test_from_python_the_module_is_wanted_before_a_worker_misses_it(tidy: Path) -> None:
    save_data()
    write("fromp.py", LAYER)
    sys.path.insert(0, str(Path.cwd()))
    import fromp  # type: ignore[import-not-found]

    model = engine.Model((engine.Flatten(), fromp.Own(), engine.Dense(3)), (8, 8, 1))
    more: dict[str, Any] = {"steps": 2, "workers": 0, "db": "p.db", "out": "p", "batch_size": 8}
    with pytest.raises(engine.GradsumError, match=r"Own is your own, from fromp, .*: give --import fromp"):
        engine.train(model, "data.npz", **more)
    assert engine.train(model, "data.npz", import_=fromp, **more).steps == 2
