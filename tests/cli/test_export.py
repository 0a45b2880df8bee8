"""`gradsum export`: which files, what it says of them, and what it refuses."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from engine.cli.commands.export import _lines
from engine.export.files import Exported
from tests.support.command import PROGRAM, SMALL, Gradsum, save_data


def test_of_values_no_classes_are_compared() -> None:
    compared = Exported((), 1e-6, 2.5, None, 64)
    [line] = _lines(compared, "onnx")
    assert line.endswith("outputs differ from ours by 1e-06 at most, where the largest is 2.5, for 64 random samples")


@pytest.fixture
def sha(gradsum: Gradsum) -> str:
    """Train a network into out/ and return the hash of its parameters."""
    save_data()
    answer = gradsum(*SMALL, "--steps", 3, "--name", "my run", "--db", "r.db", "--out", "out", "--quiet", "--json")
    return str(answer.json()["params_sha256"])


def test_torch_and_safetensors(gradsum: Gradsum, sha: str) -> None:
    answer = gradsum("export", "out", "--to", "torch")
    assert (answer.code, answer.err) == (0, "")
    assert [line.split(":")[0] for line in answer.out.splitlines()] == ["my_run.py", "my_run.safetensors"]
    assert sha in Path("my_run.py").read_text()
    told = gradsum("export", "out", "--to", "safetensors", "-o", "p.safetensors", "--json").json()
    assert told == {"files": ["p.safetensors"], "params_sha256": sha}
    assert "fc1.weights" in load_file("p.safetensors")


def test_onnx_says_how_near_it_is(gradsum: Gradsum, sha: str) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    answer = gradsum("export", "out", "--to", "onnx")
    assert (answer.code, answer.err) == (0, "")
    file, compared = answer.out.splitlines()
    assert file.startswith("my_run.onnx: ")
    assert "onnxruntime's logits differ from ours by " in compared
    told = gradsum("export", "out", "--to", "onnx", "--json").json()
    assert (told["files"], told["params_sha256"], told["samples"]) == (["my_run.onnx"], sha, 64)
    assert told["difference"] <= 1e-4 * told["scale"]


def test_onnxruntime_tells_nobody_and_leaves_nothing(sha: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    places = {name: tmp_path / name for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME")}
    for place in places.values():
        place.mkdir()
    env = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    env |= {name: str(place) for name, place in places.items()}
    subprocess.run([*PROGRAM, "export", "out", "--to", "onnx"], env=env, check=True, stdout=subprocess.DEVNULL)
    assert {name: list(place.iterdir()) for name, place in places.items()} == {name: [] for name in places}


def test_what_is_refused(gradsum: Gradsum, sha: str) -> None:
    [checkpoint] = Path("out").glob("step-*.safetensors")
    before = checkpoint.read_bytes()
    Path("other.safetensors").write_bytes(before)
    for arguments, said in (
        (["out", "--to", "safetensors", "-o", str(checkpoint)], "is the checkpoint itself"),
        (["out", "--to", "torch", "-o", str(checkpoint.with_suffix(".py"))], "is the checkpoint itself"),
        (["out", "--to", "safetensors", "-o", "other.safetensors"], "other.safetensors would replace a checkpoint"),
        (["out", "--to", "torch", "-o", "other.py"], "--out other.safetensors would replace a checkpoint"),
        (["out", "--to", "onnx", "-o", "r.db"], "--out r.db would replace a database"),
        (["out", "--to", "torch", "-o", "out"], "out is a folder; name a file in it"),
        (["out", "--to", "torch", "-o", "net.pt"], "must end in .py or .safetensors"),
        (["out", "--to", "safetensors", "-o", "no/net"], "no/net cannot be written: No such file"),
        (["nothing", "--to", "torch"], "nothing"),
        (["out"], "--to"),
    ):
        answer = gradsum("export", *arguments)
        assert answer.code == 2, arguments
        assert said in answer.err
        assert "Traceback" not in answer.err
    assert checkpoint.read_bytes() == before


def test_the_best_of_a_folder(gradsum: Gradsum, sha: str) -> None:
    told = gradsum("export", "out", "--best", "--to", "safetensors", "-o", "b.safetensors", "--json")
    assert json.loads(told.out)["files"] == ["b.safetensors"]
