"""A training run that workers join over TCP, as from other machines: real processes, and the printed command."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.command import PATIENCE, SMALL, start
from tests.support.repository import ROOT

ALONE = (*SMALL, "--json", "--quiet")


def coordinator(*arguments: object) -> "tuple[subprocess.Popen[Any], list[str]]":
    """Start a small run without workers of its own; return it, and the arguments of the worker command it prints."""
    process = start(*ALONE, "--bind", "tcp://127.0.0.1:0", *arguments)
    return process, printed(process)


def printed(process: "subprocess.Popen[Any]") -> list[str]:
    """Return the arguments of the worker command that a coordinator prints."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        words = shlex.split(line) if line.startswith("  ") else []
        if words[:2] == ["gradsum", "worker"]:
            return words[2:]
    raise AssertionError(f"no command was printed: {lines}")


@contextmanager
def worker(
    arguments: list[str], *prefix: str, program: str = "workers", **environment: str
) -> "Iterator[subprocess.Popen[str]]":
    """Start a worker, behind the command `prefix` if there is one; in the end it is told to leave, and does.

    `program`: the module that is the worker. `environment`: what it has besides ours.
    """
    process = subprocess.Popen(
        [*prefix, sys.executable, "-m", program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        _, said = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in said, said
