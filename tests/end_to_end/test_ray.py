"""`--on ray` with a real Ray on this machine; only where it is installed, as it takes 285 MB."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.test_ssh import RUN, STEP, serial, until, value
from tests.support.command import Gradsum, finish, save_data, start

pytestmark = pytest.mark.check

STEPS = 400


@pytest.fixture
def head(tidy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Ray with two processors."""
    pytest.importorskip("ray")
    save_data()
    folder = tmp_path_factory.mktemp("ray")
    program = Path(sys.executable).with_name("ray")
    words = ["--head", "--num-cpus=2", "--include-dashboard=false", f"--temp-dir={folder}", "--port=0", "--block"]
    process = subprocess.Popen([program, "start", *words, "--disable-usage-stats"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = next(line.split("'")[1] for line in process.stdout if "--address='" in line)
    yield address
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)


def workers() -> list[int]:
    """The worker processes of this test, which all have its folder for temporary files."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            mine = f"TMPDIR={os.environ['TMPDIR']}".encode() in path.read_bytes()
            words = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if mine and b"workers/__main__.py" in words:
            found.append(int(path.parent.name))
    return found


def test_a_worker_is_killed_and_the_result_is_the_same(head: str, gradsum: Gradsum) -> None:
    run = start(*RUN, "--on", f"ray {head}", "--db", "r.db", "--out", "out", "--workers", 2, "--steps", STEPS)
    until(run, lambda: len(workers()) == 2 and value(STEP) >= 10)
    os.kill(workers()[0], signal.SIGKILL)
    answer = finish(run)
    assert answer.code == 0, answer.err
    assert answer.json()["params_sha256"] == serial(gradsum, STEPS)
    assert not workers()
