"""The wheel, installed where the repository is not, with the packages that its metadata asks for."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import save_data
from tests.support.repository import ROOT

pytestmark = [pytest.mark.check, pytest.mark.timeout(900)]


def run(*command: object, cwd: Path | None = None) -> str:
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def test_the_wheel_trains(tmp_path: Path) -> None:
    """From a copy of what git has, so that nothing of an earlier build gets in."""
    source, wheels, venv = tmp_path / "source", tmp_path / "wheels", tmp_path / "venv"
    source.mkdir()
    for name in run("git", "ls-files", cwd=ROOT).splitlines():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    run(sys.executable, "-m", "venv", venv)
    python, pip = venv / "bin/python", (venv / "bin/python", "-m", "pip", "--disable-pip-version-check")
    run(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, source)
    run(*pip, "install", "--quiet", *wheels.iterdir())
    save_data()
    for name in ("engine.py", "workers.py"):  # of the user, in the current folder
        Path(name).write_text("raise SystemExit(__file__)")
    train = ("train", "--data", "data.npz", "--model", "mlp", "--steps", 4, "--workers", 2, "--quiet", "--json")
    said = [run(*gradsum, *train) for gradsum in ((venv / "bin/gradsum",), (python, "-m", "gradsum"))]
    hashes = {json.loads(answer.splitlines()[-1])["params_sha256"] for answer in said}
    assert len(hashes) == 1
    typed = tmp_path / "typed" / "typed.py"  # mypy wants py.typed, which only a package can have
    typed.parent.mkdir()
    typed.write_text("import engine\nreveal_type(engine.load_network)\n")
    types = run(sys.executable, "-m", "mypy", "--strict", "--python-executable", python, typed.name, cwd=typed.parent)
    assert "-> engine.network.Network" in types
    assert run(python, "-c", "import gradsum; print(gradsum.__version__)").strip() in run(
        venv / "bin/gradsum", "--version"
    )
