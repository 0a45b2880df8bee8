"""The program on an ARM processor, under emulation: the bits that it gives here, parameters and optimizer's state."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from engine.data import load
from engine.nn.built_in import BUILT_IN
from tests.support.aarch64 import Machine

pytestmark = [pytest.mark.check, pytest.mark.computes, pytest.mark.timeout(3600)]
pytest.importorskip("numba")


def few_letters(folder: Path) -> None:
    """Write so few of the built-in letters that emulated conversion takes no time."""
    letters = load("letters")
    parts = {"train": letters.train, "test": letters.test}
    arrays: dict[str, Any] = {}
    for part, count in (("train", 256), ("test", 32)):
        arrays[f"{part}_images"] = np.asarray(parts[part].images[:count])
        arrays[f"{part}_labels"] = np.asarray(parts[part].labels[:count])
    np.savez(folder / "few.npz", **arrays)


def test_an_arm_processor_gives_the_same_bits(tmp_path: Path) -> None:
    few_letters(tmp_path)
    machine = Machine(tmp_path)
    for model in BUILT_IN:
        train = ["train", "--data", "few.npz", "--model", model, "--workers", "0", "--steps", "3", "--quiet", "--json"]
        arm = machine.gradsum(*train, "--db", "arm.db", "--out", f"arm-{model}", cwd=tmp_path)
        command = [sys.executable, "-m", "gradsum", *train, "--db", "here.db", "--out", f"here-{model}"]
        here = subprocess.run(command, cwd=tmp_path, check=True, stdout=subprocess.PIPE, text=True).stdout
        digests = {json.loads(said.splitlines()[-1])["params_sha256"] for said in (arm, here)}
        assert len(digests) == 1, model
        states = [load_file(tmp_path / f"{where}-{model}" / "step-00000003.safetensors") for where in ("arm", "here")]
        assert states[0].keys() == states[1].keys()
        for name, tensor in states[0].items():  # ADAM's vectors among them
            assert tensor.tobytes() == states[1][name].tobytes(), f"{model}: {name}"
