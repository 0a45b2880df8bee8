"""The scripts in benchmarks/: each says how it is used, and can print JSON, on a machine that has no PyTorch."""

import json
import re
import subprocess
import sys
from argparse import ArgumentTypeError

import pytest

from benchmarks.arguments import positive
from tests.support.command import PATIENCE
from tests.support.repository import ROOT

FOLDER = ROOT / "benchmarks"
NO_SCRIPT = {"contender_elastic"}  # torchrun starts it for `kill`
MAINS = {path.stem for path in FOLDER.glob("*.py") if '__name__ == "__main__"' in path.read_text("utf-8")}
SCRIPTS = sorted(MAINS - NO_SCRIPT)

# What `python -m` does, where torch cannot be imported.
PROGRAM = """
import runpy, sys
sys.modules["torch"] = None
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def run(script: str, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", PROGRAM, f"benchmarks.{script}", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_there_are_scripts() -> None:
    assert {"speedup", "kernels", "versus_torch", "convergence"} <= set(SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_has_help_and_json_without_pytorch(script: str) -> None:
    answer = run(script, "--help")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith("usage: "), "nothing comes before"
    assert re.search(r"^ +--json +\S+", answer.stdout, flags=re.MULTILINE)


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_unknown_option_is_bad_usage(script: str) -> None:
    answer = run(script, "--nonsense", "--json")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "--nonsense" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_readme_lists_every_script_and_no_other() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"python -m benchmarks\.(\w+)", readme)) == set(SCRIPTS)


def test_without_pytorch_there_is_nothing_to_compare_with(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import versus_torch

    monkeypatch.setattr(sys, "argv", ["versus_torch", "--json"])
    monkeypatch.setattr(versus_torch, "find_spec", lambda _: None)
    with pytest.raises(SystemExit, match=r"needs PyTorch: pip install -e \.\[bench\]"):
        versus_torch.main()


def test_one_line_of_json_that_is_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSUM_BACKEND", "numpy")
    answer = run("kernels", "--json", "--rounds", "1", "--backends", "numpy")
    assert (answer.returncode, answer.stderr) == (0, "")
    found = json.loads(answer.stdout)
    assert {line["backend"] for line in found["lines"]} == {"numpy"}
    assert all(line["forward"] > 0 for line in found["lines"])
    answer = run("contender_gradsum", "--json", "--images", "8", "--batch-size", "8")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert json.loads(answer.stdout).keys() == {
        "batch",
        "images_per_second",
        "images_per_cpu_second",
        "first_step",
        "peak_mb",
        "peak_worker_mb",
    }


@pytest.mark.parametrize("text", ["0", "-3", "two", "1.5", ""])
def test_counts_are_positive(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is not a positive integer"):
        positive(text)
