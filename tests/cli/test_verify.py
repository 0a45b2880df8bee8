"""`gradsum verify` computes a checkpoint's steps again, says whether the bits are the same, and writes nothing."""

import json
import os
import signal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import engine
from engine.checkpoint import digests
from tests.support.checkpoints import change_metadata, rewrite
from tests.support.command import SMALL, Gradsum, save_data
from tests.support.saboteur import Sabotage

STEPS = 70
NEWEST = f"out/step-{STEPS:08d}.safetensors"
EARLIER = "out/step-00000064.safetensors"
KERNELS = ("--kernels", "numba" if find_spec("numba") else "exact")


@pytest.fixture(autouse=True)
def no_choice(tidy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let options alone say which kernels compute: those of a checkpoint, where there are none."""
    monkeypatch.delenv("GRADSUM_BACKEND", raising=False)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a short run have digests."""
    monkeypatch.setattr(digests, "MIN_INTERVAL", 16)


@pytest.fixture
def run(gradsum: Gradsum) -> None:
    """Train, with a checkpoint in between."""
    save_data()
    more = ("--checkpoint-every", 32, "--quiet", "--out", "out", "--db", "r.db")
    assert gradsum(*SMALL, *KERNELS, "--steps", STEPS, *more).code == 0


def said_by(path: str) -> dict[str, Any]:
    with safe_open(path, framework="numpy") as file:
        said: dict[str, Any] = json.loads(file.metadata()["metadata"])
    return said


def everything() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.usefixtures("run")
def test_the_same_bits(gradsum: Gradsum) -> None:
    before = everything()
    answer = gradsum("verify", "out", "--workers", 0)
    assert (answer.code, answer.out.splitlines()[0]) == (0, f"verified: the same bits after {STEPS} steps")
    part = gradsum("verify", NEWEST, "--from", EARLIER, "--workers", 2, "--kernels", "exact", "--json", "--quiet")
    sha256 = answer.out.splitlines()[1].split()[1]
    found = {"verified": True, "start": 64, "step": STEPS, "workers": 2, "sha256": sha256, "differs": None}
    assert (part.code, part.json()) == (0, found)
    assert everything() == before, "nothing is written"
    assert engine.verify("out", workers=0, start=EARLIER).text().endswith("after 70 steps, from step 64 on")


@pytest.mark.usefixtures("run")
def test_other_bits(gradsum: Gradsum) -> None:
    found = said_by(NEWEST)["digests"]
    assert [step for step, _, _ in found] == [16, 32, 48, 64]
    found[1][2] += 2**-40
    change_metadata(Path(NEWEST), digests=found)
    answer = gradsum("verify", "out", "--workers", 0)
    assert (answer.code, answer.out.splitlines()[0]) == (1, "differs: other bits between step 16 and step 32")
    assert gradsum("verify", "out", "--workers", 0, "--from", EARLIER).code == 0, "what comes after is right"
    found[3][1] = "0" * 64
    change_metadata(Path(NEWEST), digests=found)
    answer = gradsum("verify", "out", "--workers", 0, "--from", EARLIER, "--json")
    assert (answer.code, answer.json()["differs"]) == (1, [48, 64]), "it is not the state that the checkpoint names"


@pytest.mark.usefixtures("run")
def test_other_bits_at_the_end(gradsum: Gradsum) -> None:
    tensors = load_file(NEWEST)
    tensors["optimizer.v.fc1.bias"][0] *= 2
    with safe_open(NEWEST, framework="numpy") as file:
        header = file.metadata()
    save_file(tensors, NEWEST, header)
    rewrite(Path(NEWEST))
    answer = gradsum("verify", NEWEST, "--workers", 0)
    assert (answer.code, answer.out.splitlines()[0]) == (1, "differs: other bits between step 64 and step 70")


@pytest.mark.usefixtures("run")
def test_what_cannot_be_compared(gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*words: object) -> str:
        answer = gradsum("verify", *words, "--quiet")
        assert (answer.code, answer.out) == (2, "")
        assert len(answer.err.splitlines()) == 1
        return answer.err

    said = said_by(NEWEST)
    assert "there is no checkpoint file nowhere" in refused("nowhere")
    assert "--from is at step 70, the checkpoint at step 64: name an earlier one" in refused(EARLIER, "--from", NEWEST)
    save_data("other.npz", seed=2)
    assert "other.npz is not the data of the run: its digest is" in refused("out", "--data", "other.npz")
    assert "numpy's bits are its own, so numpy kernels cannot verify it" in refused("out", "--kernels", "numpy")
    assert "workers must be a whole number from 0 to 4096, got -1" in refused("out", "--workers", -1)
    Path("data.npz").rename("moved.npz")
    assert "data.npz, is not there; name the same data with --data" in refused("out")
    assert gradsum("verify", "out", "--data", "moved.npz", "--from", EARLIER, "--quiet").code == 2, (
        "another name, another digest"
    )
    program = said["versions"]["numerics"].replace("program ", "program 0")
    change_metadata(Path(NEWEST), versions=said["versions"] | {"numerics": program})
    assert "the checkpoint was made by another version of gradsum (program 0" in refused("out")
    change_metadata(Path(NEWEST), data=said["data"] | {"source": None}, versions=said["versions"])
    assert "the run had data given in Python (data): name the same data with --data" in refused("out")
    change_metadata(Path(EARLIER), run="f" * 32)
    assert "--from names a checkpoint of another run" in refused(NEWEST, "--from", EARLIER)


@pytest.mark.usefixtures("run")
def test_ctrl_c(gradsum: Gradsum, sabotage: Sabotage) -> None:
    sabotage("compiling the network", lambda _: os.kill(os.getpid(), signal.SIGINT))
    answer = gradsum("verify", "out", "--workers", 0)
    assert (answer.code, answer.out) == (130, "")
    assert "gradsum: interrupted" in answer.err


@pytest.mark.usefixtures("run")
def test_a_checkpoint_may_have_digests_of_other_steps(gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "MIN_INTERVAL", 64)
    assert gradsum("verify", "out", "--workers", 0, "--quiet").out.startswith("verified: the same bits")
    found = said_by(NEWEST)["digests"]
    found[0][1] = "0" * 64
    change_metadata(Path(NEWEST), digests=found)
    assert "between step 0 and step 16" in gradsum("verify", "out", "--workers", 0, "--quiet").out


def test_the_newest_step_of_a_resumed_run(gradsum: Gradsum) -> None:
    save_data()
    assert gradsum(*SMALL, *KERNELS, "--steps", 20, "--quiet", "--out", "out").code == 0
    assert gradsum("train", "--resume", "out", "--steps", 40, "--quiet", "--workers", 2).code == 0
    assert [step for step, _, _ in said_by("out/step-00000040.safetensors")["digests"]] == [16, 32]
    assert gradsum("verify", "out", "--workers", 0, "--quiet").out.startswith("verified: the same bits after 40 steps")
