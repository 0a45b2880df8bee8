"""--kernels and --allow-slow, for every command that computes."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import engine
from engine.cli.commands import SUMMARIES
from engine.settings import Settings
from tests.support.command import SMALL, Gradsum, save_data
from tests.support.doc_tables import actions, parser_of

COMPUTE = ("train", "sweep", "coordinator", "worker", "evaluate", "predict", "bench")
STEPS = (*SMALL, "--steps", 2, "--batch-size", 8)
EXACT, NUMPY = "exact kernels: the bits of the compiled ones in plain numpy, slow", "numpy kernels: their bits are"
needs_numba = pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")


@pytest.fixture(autouse=True)
def data(tidy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_data()
    monkeypatch.setenv("GRADSUM_BACKEND", "auto")


def test_every_command_that_computes_has_them() -> None:
    for command in COMPUTE:
        assert {"kernels", "allow_slow"} <= {action.dest for action in actions(parser_of(command))}, command
    assert set(COMPUTE) <= set(SUMMARIES)


@pytest.mark.parametrize("command", COMPUTE)
def test_an_unknown_name_is_bad_usage(command: str, gradsum: Gradsum) -> None:
    gradsum(*STEPS, "--quiet", "--out", "out")
    words = {"worker": ("ipc://nowhere",), "evaluate": ("out",), "predict": ("out", "image.npy")}
    np.save("image.npy", np.zeros((1, 8, 8), np.uint8))
    answer = gradsum(command, *words.get(command, ()), "--kernels", "cuda")
    assert answer.code == 2
    assert "kernels must be one of numba, numpy, exact, got 'cuda'" in answer.err
    assert len(answer.err.splitlines()) == 1


@needs_numba
def test_exact_kernels_give_the_bits_of_numba_and_numpy_ones_their_own(gradsum: Gradsum) -> None:
    found = {name: gradsum(*STEPS, "--json", "--kernels", name) for name in ("numba", "numpy", "exact")}
    digests = {name: answer.json()["params_sha256"] for name, answer in found.items()}
    assert digests["exact"] == digests["numba"]
    assert digests["numpy"] != digests["numba"], "or this test shows nothing"
    assert EXACT in found["exact"].err
    assert NUMPY in found["numpy"].err
    assert "kernels:" not in found["numba"].err


def test_workers_have_the_kernels_of_the_run_whatever_the_environment_says(
    gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADSUM_BACKEND", "numpy")
    Path("run.toml").write_text('kernels = "exact"\nallow-slow = true\n')
    alone = gradsum(*STEPS, "--json", "--kernels", "exact").json()["params_sha256"]
    ran = gradsum(*STEPS, "--workers", 2, "--json", "--quiet", "--config", "run.toml", "--db", "r.db", "--out", "out")
    assert ran.json()["params_sha256"] == alone, "a worker with other kernels would have been refused"
    resumed = gradsum("train", "--resume", "out", "--steps", 3)
    assert EXACT in resumed.err, "a run that is resumed keeps them"
    other = gradsum("train", "--resume", "out", "--steps", 4, "--kernels", "numpy")
    assert other.code == 0
    assert "will not be bit-identical" in other.err


def test_a_trained_network_is_asked_with_any(gradsum: Gradsum) -> None:
    gradsum(*STEPS, "--quiet", "--out", "out")
    np.save("image.npy", np.zeros((1, 8, 8), np.uint8))
    assert EXACT in gradsum("evaluate", "out", "--kernels", "exact").err
    assert NUMPY in gradsum("predict", "out", "image.npy", "--kernels", "numpy").err


def test_in_python() -> None:
    result = engine.train(
        "mlp", "data.npz", kernels="exact", allow_slow=True, workers=0, steps=1, batch_size=8, out="out", db="r.db"
    )
    assert engine.load_network(result.checkpoint).parameters.any()
    with pytest.raises(engine.GradsumError, match="kernels must be one of numba, numpy, exact, got 'fast'"):
        Settings(kernels="fast")
    with pytest.raises(engine.GradsumError, match="allow-slow must be true or false, got 'yes'"):
        Settings(allow_slow="yes")  # type: ignore[arg-type]
