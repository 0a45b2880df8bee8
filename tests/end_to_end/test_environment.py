"""Surroundings that are not a person's own machine: nothing can be written, nobody has a name or a home."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.command import PATIENCE, PLAIN_PERSON, PROGRAM, SMALL, save_data

PLACES = ("--db", "r.db", "--out", "out", "--steps", 2, "--quiet")


def train(*options: object, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run `gradsum train` as a person without rights, and without the variables that are ""."""
    command = [*PLAIN_PERSON, *PROGRAM, *map(str, (*SMALL, *PLACES, *options))]
    variables = {name: value for name, value in (os.environ | environment).items() if value}
    return subprocess.run(
        command,
        env=variables,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def set_mode(folder: Path, files: int, folders: int) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod(folders if path.is_dir() else files)


def test_a_read_only_cache_that_holds_everything(private_cache: Path) -> None:
    """With compiled kernels where numba is installed."""
    save_data()
    assert train("--workers", 0).returncode == 0
    shutil.copytree(private_cache, "cache")
    set_mode(Path("cache"), 0o400, 0o500)
    shutil.rmtree("out")
    done = train("--workers", 2, GRADSUM_CACHE="cache")
    assert (done.returncode, done.stderr) == (0, "")
    set_mode(Path("cache"), 0o600, 0o700)
    shutil.rmtree("cache/kernels")
    for path in Path("cache").glob("*.safetensors"):
        path.unlink()
    set_mode(Path("cache"), 0o400, 0o500)
    failed = train("--workers", 2, GRADSUM_CACHE="cache", GRADSUM_BACKEND="numpy")
    assert (failed.returncode, failed.stdout, len(failed.stderr.splitlines())) == (2, "", 1)
    assert "cannot be written (Permission denied)" in failed.stderr
    assert "set GRADSUM_CACHE to a folder that can be written" in failed.stderr
    set_mode(Path("cache"), 0o600, 0o700)


def test_a_read_only_cache_without_kernels_is_refused_before_they_are_compiled() -> None:
    pytest.importorskip("numba")
    save_data()
    Path("cache").mkdir(0o500)
    failed = train("--workers", 0, GRADSUM_CACHE="cache", GRADSUM_BACKEND="numba")
    assert (failed.returncode, failed.stdout, len(failed.stderr.splitlines())) == (2, "", 1)
    assert "set GRADSUM_CACHE to a folder that can be written" in failed.stderr


def test_no_home_at_all(tidy: Path) -> None:
    """As in a container whose user has no home; root has a name, so that its home is named explicitly."""
    save_data()
    done = train("--workers", 2, GRADSUM_CACHE="", XDG_CACHE_HOME="", HOME="/proc/nobody")
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tidy.iterdir()] == [f"gradsum-cache-{os.getuid()}"]
    assert not Path("~").exists()
    shutil.rmtree(tidy / f"gradsum-cache-{os.getuid()}")
