"""Kernels are compiled by processes of their own, which end whatever happens."""

import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from engine.compute.precompile import CALLED, DONE, compile_parts, mark
from engine.errors import GradsumError, SettingsError
from engine.kernels.golden import count, parts
from engine.launch.command import worker_command, worker_environment
from engine.launch.compilers import compile_all
from engine.system import places


class _StopError(Exception):
    pass


def test_the_parts_are_all_calls() -> None:
    told: list[str] = []
    compile_parts([f"{part}\n" for part in parts()], told.append)
    assert (told.count(CALLED), told.count(DONE)) == (count(), len(parts()))


@pytest.mark.parametrize("processes", [1, 2])
def test_progress_comes_to_its_end_and_the_mark_is_left(
    tidy: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    monkeypatch.setenv(places.VARIABLE, str(Path("cache").absolute()))
    seen: list[tuple[int, int]] = []
    compile_all(lambda done, total: seen.append((done, total)), processes)
    assert seen == sorted(seen)
    assert seen[-1] == (count(), count())
    assert mark().exists()


def test_what_the_caller_raises_ends_them(tidy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(places.VARIABLE, str(Path("cache").absolute()))

    def stop(done: int, total: int) -> None:
        raise _StopError

    with pytest.raises(_StopError):
        compile_all(stop, 2)
    assert not mark().exists()  # and `tidy` sees that no process is left


def test_frozen_ones_are_ended_as_well(tidy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(places.VARIABLE, str(Path("cache").absolute()))
    begin = subprocess.Popen

    def frozen(*arguments: Any, **options: Any) -> "subprocess.Popen[bytes]":
        process = begin(*arguments, **options)
        process.send_signal(signal.SIGSTOP)
        return process

    def stop(done: int, total: int) -> None:
        raise _StopError

    monkeypatch.setattr(subprocess, "Popen", frozen)
    with pytest.raises(_StopError):
        compile_all(stop, 2)


def test_one_that_fails_is_a_clear_error(tidy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(places.VARIABLE, str(Path("cache").absolute()))
    monkeypatch.setenv("GRADSUM_BACKEND", "cuda")
    with pytest.raises(GradsumError, match=r"a process that compiles kernels ended with code 1: .*'cuda'"):
        compile_all(lambda *_: None, 2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_sent_to_a_whole_group_is_for_the_one_that_asks(tidy: Path, number: int) -> None:
    environment = {**worker_environment(), "GRADSUM_BACKEND": "numpy"}
    with subprocess.Popen(worker_command("--compile"), env=environment, stdin=PIPE, stdout=PIPE, bufsize=0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{parts()[0]}\n".encode())
        assert process.stdout.read(1)  # it serves
        process.send_signal(number)
        process.stdin.close()
        process.stdout.read()
    assert process.returncode == 0


def test_where_no_process_can_be_started_this_one_compiles(
    monkeypatch: pytest.MonkeyPatch, numpy_kernels: None
) -> None:
    monkeypatch.setenv(places.VARIABLE, str(Path("cache").absolute()))
    program = Path("python").absolute()
    program.write_bytes(b"of another processor")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    seen: list[tuple[int, int]] = []
    compile_all(lambda done, total: seen.append((done, total)), 2)
    assert seen[-1] == (count(), count())
    assert mark().exists()


def test_a_cache_that_cannot_be_written(tidy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").write_text("")
    monkeypatch.setenv(places.VARIABLE, str(Path("file").absolute()))
    with pytest.raises(SettingsError, match="file/kernels"):
        compile_all(lambda *_: None)
