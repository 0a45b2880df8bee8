"""`gradsum` as a user runs it, in this process or in one of its own, and what it must not leave behind."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import IO, Any, NamedTuple

import numpy as np

PATIENCE = 200.0  # seconds after which something that should happen is taken not to

# A run of 5 steps an epoch on the data of `save_data`.
SMALL = ("train", "--data", "data.npz", "--model", "mlp", "--workers", 0, "--batch-size", 8, "--microbatch", 4)

# Root may write anywhere; without its capabilities it is a person like any other.
PLAIN_PERSON = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"] if os.geteuid() == 0 else []
PROGRAM = [sys.executable, "-c", "import sys; from gradsum import main; sys.exit(main())"]  # as the installed command


class Answer(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """Return the object in the last line of standard output."""
        answer: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return answer


Gradsum = Callable[..., Answer]


def save_data(path: str = "data.npz", side: int = 8, classes: int = 3, train: int = 40, seed: int = 1) -> str:
    """Write a small data set into an .npz; each class has its own mean, so that it can be learned."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, Any] = {}
    for part, n in (("train", train), ("test", 12)):
        labels = np.arange(n) % classes
        noise = rng.integers(0, 100, (n, side, side))
        arrays[f"{part}_labels"] = labels
        arrays[f"{part}_images"] = ((noise + 70 * labels[:, None, None]) % 256).astype(np.uint8)
    np.savez(path, **arrays)
    return path


def start(*arguments: object, text: bool = True, stderr: int = subprocess.PIPE) -> "subprocess.Popen[Any]":
    """Start `gradsum` in a process and a process group of its own."""
    return subprocess.Popen(
        [*PROGRAM, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=text,
        start_new_session=True,
    )


def wait_for(stream: IO[str] | None, text: str) -> None:
    """Read `stream` until a line begins with `text`."""
    assert stream is not None
    lines = []
    for line in stream:
        lines.append(line)
        if line.startswith(text):
            return
    raise AssertionError(f"no line begins with {text!r}: {lines}")


def finish(process: "subprocess.Popen[str]") -> Answer:
    """Wait for the end of `process`; one that does not end is killed, so that it is in no other test's way."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Answer(process.returncode, out, err)


def wait_for_end(pids: list[int]) -> list[int]:
    """Wait until the processes have ended, and return those that have not."""
    left = []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            try:
                if not select.select([descriptor], [], [], PATIENCE)[0]:
                    os.kill(pid, signal.SIGKILL)
                    left.append(pid)
            finally:
                os.close(descriptor)
    return left
