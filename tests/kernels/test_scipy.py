"""scipy is large: only the numpy kernels, which take erf from it, import it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.backends import BACKENDS
from tests.support.command import save_data
from tests.support.repository import ROOT

# Stands before the installed scipy on the path: notes which process wanted it, and cannot be imported.
FAKE = """
import os
with open(os.environ["IMPORTERS"], "a") as file:
    print(os.getpid(), file=file)
raise ImportError("scipy was imported")
"""


def train(backend: str, path: Path) -> tuple[int, list[str]]:
    """Train for two steps with two workers; return the exit code and the processes that imported scipy."""
    (path / "scipy.py").write_text(FAKE)
    importers = path / "importers"
    importers.touch()
    program = "import sys; from engine.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "train", "--data", save_data(str(path / "data.npz"))]
    command += ["--model", "mlp", "--workers", "2", "--steps", "2", "--batch-size", "8", "--microbatch", "4", "--quiet"]
    environment = os.environ | {"PYTHONPATH": f"{path}:{ROOT}", "GRADSUM_BACKEND": backend, "IMPORTERS": str(importers)}
    done = subprocess.run(command, env=environment, cwd=path, capture_output=True, text=True, check=False, timeout=100)
    return done.returncode, importers.read_text().split()


@pytest.mark.skipif(len(BACKENDS) == 1, reason="numba is not installed")
def test_no_process_of_a_run_with_numba_kernels_imports_scipy(tmp_path: Path) -> None:
    assert train("numba", tmp_path) == (0, [])


def test_a_run_with_numpy_kernels_does(tmp_path: Path) -> None:
    code, importers = train("numpy", tmp_path)
    assert code == 1
    assert importers, "or the test above cannot fail"
