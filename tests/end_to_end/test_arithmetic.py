"""Whoever computes the same bits joins, whatever it computes them with; whoever does not is told why, and leaves."""

import os
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.kernels.test_rounding import UPWARD
from tests.support.backends import BACKENDS
from tests.support.command import PATIENCE, SMALL, Gradsum, finish, save_data
from tests.support.remote import ALONE, coordinator, worker
from tests.support.repository import ROOT

STEPS = ("--steps", 8, "--validate-every", 4, "--augment", "--dropout", 0.3)
PLACES = ("--db", "r.db", "--out", "out")
EXACT = {"GRADSUM_BACKEND": "exact"}
with_numba = pytest.mark.skipif(len(BACKENDS) == 1, reason="numba is not installed")


@pytest.fixture(autouse=True)
def data(tidy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSUM_BACKEND", "exact")
    save_data()


@pytest.fixture
def serial(gradsum: Gradsum) -> str:
    """Return the hash of the parameters of a run in one process."""
    return str(gradsum(*ALONE, *STEPS, "--db", "serial.db", "--out", "serial").json()["params_sha256"])


def mixed(serial: str, others: list[dict[str, str]]) -> None:
    """Train with a worker in each of these environments, all of which must have work, and compare."""
    run, command = coordinator(*STEPS, *PLACES, "--min-workers", len(others))
    with ExitStack() as stack:
        for environment in others:
            stack.enter_context(worker(command, **environment))
        ended = finish(run)
    assert (ended.code, ended.json()["params_sha256"]) == (0, serial), ended.err
    with closing(sqlite3.connect("r.db")) as db:
        made_by = [row[0] for row in db.execute("SELECT fingerprint FROM workers")]
        assert not db.execute("SELECT text FROM events WHERE kind = 'refused'").fetchall()
    assert len(set(made_by)) == len(others)


@with_numba
def test_exact_and_compiled_kernels_work_together(serial: str) -> None:
    mixed(serial, [EXACT, {"GRADSUM_BACKEND": "numba"}])


OTHERS = [
    {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+fma,+avx2"},
    {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": "+fma,+avx2"},
    {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+fma"},
    {"GRADSUM_TILE": "4x3x4"},
]


@pytest.mark.check
@pytest.mark.computes
@with_numba
def test_any_processor_and_tile_work_together(serial: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSUM_BACKEND", "numba")
    for environment in OTHERS:  # compiled one after the other, not while others wait
        subprocess.run([sys.executable, "-c", COMPILE], env=os.environ | environment, cwd=ROOT, check=True)
    mixed(serial, [{}, EXACT, *OTHERS])


COMPILE = "from engine.kernels import choose; from engine.compute.precompile import compile_kernels as c; c(choose())"


def refused(process: "subprocess.Popen[str]") -> str:
    """Return why a worker was refused; it must have ended with exit code 1."""
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    return str(said).splitlines()[-1].removeprefix("gradsum worker: the coordinator refused this worker: ")


def goes_on(command: list[str], run: "subprocess.Popen[str]", serial: str, reason: str) -> None:
    """Assert that the run ends, with a worker that computes as it should, with the bits of a serial one.

    `reason`: why another worker was refused, which is on record.
    """
    with worker(command):
        ended = finish(run)
    assert (ended.code, ended.json()["params_sha256"]) == (0, serial), ended.err
    with closing(sqlite3.connect("r.db")) as db:
        assert db.execute("SELECT text FROM events WHERE kind = 'refused'").fetchall() == [(reason,)]


def test_a_worker_with_bits_of_its_own_is_refused_and_both_are_named(serial: str) -> None:
    run, command = coordinator(*STEPS, *PLACES)
    with worker(command, GRADSUM_BACKEND="numpy") as process:
        reason = refused(process)
    assert reason.startswith("it would compute different bits, with kernels of numpy ")
    assert "(here: arithmetic " in reason
    goes_on(command, run, serial, reason)


def test_one_whose_kernels_differ_for_the_shapes_of_this_job_only_is_refused(serial: str) -> None:
    run, command = coordinator(*STEPS, *PLACES)
    with worker(["64", *command], program="tests.support.other_arithmetic") as process:  # images of 8 x 8
        reason = refused(process)
    assert reason == "it computes different bits of this job, with the same libraries and processor"
    goes_on(command, run, serial, reason)


def test_one_whose_kernels_differ_does_not_even_connect() -> None:
    with worker(["0", "ipc:///nowhere"], program="tests.support.other_arithmetic") as process:
        assert process.wait(PATIENCE) == 1
        assert process.stderr is not None
        said = process.stderr.read()
    assert said.startswith("gradsum worker: this process would compute other bits than any other: its kernels (exact ")
    assert said.count("\n") == 1


@with_numba
@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="names processors of Intel")
def test_a_processor_without_fused_multiply_add_is_refused_with_the_reason() -> None:
    generic = {"GRADSUM_BACKEND": "numba", "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    with worker(["ipc:///nowhere"], **generic) as process:
        assert process.wait(PATIENCE) == 2
        assert process.stderr is not None
        assert "the processor generic has no fused multiply-add" in process.stderr.read()


DISTURBED = "import sys; from tests.kernels.test_rounding import disturb; disturb({!r}); from {} import main; "
HOW = {"upward": "does not round to the nearest number", "flush": "takes numbers below 1.2e-38 for zero"}


@pytest.fixture(params=["flush", pytest.param("upward", marks=pytest.mark.check)])
def how(request: pytest.FixtureRequest) -> str:
    if UPWARD is None or sys.platform != "linux":
        pytest.skip("knows the registers of Linux on x86 and ARM only")
    return str(request.param)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("engine.cli", (*SMALL, *STEPS, *PLACES)),
        ("engine.cli", (*SMALL, *STEPS, *PLACES, "--workers", 1)),
        ("workers.command", ("ipc:///nowhere",)),
    ],
    ids=["alone", "coordinator", "worker"],
)
def test_a_process_that_rounds_otherwise_ends_before_it_computes(
    how: str, module: str, words: tuple[object, ...]
) -> None:
    program = DISTURBED.format(how, module) + "sys.exit(main(sys.argv[1:]))"
    ended = subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert ended.returncode == 1
    assert HOW[how] in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
