"""`gradsum import`: what it writes is a checkpoint for every command that takes one."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.support.command import SMALL, Gradsum, save_data

MODEL = """
[[layers]]
type = "Flatten"
[[layers]]
type = "Dense"
features = 3
"""


@pytest.fixture
def trained(gradsum: Gradsum) -> str:
    """Train a network on data.npz into out/ and return the hash of its parameters."""
    save_data()
    answer = gradsum(*SMALL, "--steps", 3, "--db", "r.db", "--out", "out", "--quiet", "--json")
    return str(answer.json()["params_sha256"])


@pytest.mark.parametrize("kind", ["torch", "safetensors"])
def test_exported_and_imported_again_it_is_the_same_network(gradsum: Gradsum, trained: str, kind: str) -> None:
    ending = {"torch": ".py", "safetensors": ".safetensors"}[kind]
    gradsum("export", "out", "--to", kind, "-o", f"net{ending}")
    told = gradsum("import", "net.safetensors", "--json").json()
    assert told == {
        "checkpoint": "runs/net/step-00000000.safetensors", "params_sha256": trained, "parameters": told["parameters"]
    }  # fmt: skip
    again = gradsum("import", "net.safetensors", "--model", "mlp", "-o", "runs/net")
    assert again.out.startswith("runs/net/step-00000000.safetensors: ")
    one, other = (gradsum("evaluate", net, "--data", "data.npz", "--json") for net in ("out", "runs/net"))
    assert one == other


def test_a_network_of_others_predicts_and_is_trained_further(gradsum: Gradsum) -> None:
    save_data()
    Path("model.toml").write_text(MODEL)
    weights = np.zeros((3, 64), np.float32)
    weights[1] = 1
    save_file({"fc1.weight": weights, "fc1.bias": np.array([5, 0, 0], np.float32)}, "model.safetensors")
    done = gradsum(
        *("import", "model.safetensors", "--model", "model.toml", "--shape", 8, 8, 1),
        *("--classes", "dark,bright,none", "--mean", "0.5", "-o", "here"),
    )
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "here/step-00000000.safetensors: 195 parameters",
        "pixels, 0 to 255, are normalised by mean 127.5 and deviation 255",
    ]
    np.save("x.npy", np.stack([np.full((8, 8), byte, np.uint8) for byte in (0, 255)]))
    assert [line.split()[1] for line in gradsum("predict", "here", "x.npy").out.splitlines()] == ["dark", "bright"]
    more = gradsum(*SMALL[:3], "--from", "here", "--steps", 1, "--workers", 0, "--db", "r.db", "--out", "out")
    assert more.code == 0
    assert "begins with 2 of 2 arrays of here" in more.err
    refused = gradsum("train", "--resume", "here")
    assert refused.code == 2
    assert "--from begins a new run with its parameters" in refused.err


def test_what_is_refused(gradsum: Gradsum, trained: str) -> None:
    gradsum("export", "out", "--to", "safetensors", "-o", "net.safetensors")
    Path("text.safetensors").write_text("no tensors")
    [checkpoint] = Path("out").glob("step-*.safetensors")
    for arguments, said in (
        (["nothing.safetensors", "--model", "mlp"], "no such file or folder: nothing.safetensors"),
        (["text.safetensors", "--model", "mlp"], "text.safetensors is not a safetensors file"),
        ([checkpoint], "is a checkpoint already: use it as it is"),
        (["net.safetensors", "--model", "resnet8"], "net.safetensors does not fit the model: missing: c1.filter"),
        (["net.safetensors", "--mean", "a"], "--mean must be numbers with commas between, got 'a'"),
        (["net.safetensors", "--classes", "a,a,b"], "--classes must be names that differ, none of them empty"),
        (["net.safetensors", "--classes", "a,,b"], "--classes must be names that differ, none of them empty"),
        (["net.safetensors", "-o", "out"], "out holds checkpoints of another run"),
        (["net.safetensors", "--shape", 0, "--model", "mlp"], "a model's shape is"),
    ):
        answer = gradsum("import", *arguments)
        assert answer.code == 2, arguments
        assert said in answer.err
        assert len(answer.err.splitlines()) == 1
