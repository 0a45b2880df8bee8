"""Workers that compute as they should and send something else, among honest ones: found at once, without an audit.

Real processes that join over TCP. Each run must end with the bits of a serial one.
"""

import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.support.chaos.liar import Lie
from tests.support.command import PATIENCE, Gradsum, finish, save_data
from tests.support.remote import ALONE, coordinator, worker

BATCHES = ("--batch-size", 16, "--microbatch", 2)  # so that every worker has a share
STEPS = ("--steps", 120, "--validate-every", 60)  # on a busy machine a liar may be too late for a dozen of them
IMAGES = 40 * (16 + 16 + 8)  # of forty epochs
PLACES = ("--db", "r.db", "--out", "out")
LIAR = "tests.support.chaos.liar"


@pytest.fixture
def serial(gradsum: Gradsum) -> str:
    """Return the hash of the parameters after a quiet run in one process."""
    save_data()
    return str(gradsum(*ALONE, *BATCHES, *STEPS, "--db", "serial.db", "--out", "serial").json()["params_sha256"])


def events() -> list[tuple[str, str | None, str]]:
    with closing(sqlite3.connect("r.db")) as db:
        return db.execute("SELECT kind, worker, text FROM events ORDER BY id").fetchall()


def found_out(pids: list[int]) -> None:
    """Assert that the workers with these process ids were refused for wrong bits, and no other was."""
    with closing(sqlite3.connect("r.db")) as db:
        names = dict(db.execute("SELECT worker, pid FROM workers").fetchall())
        counted = db.execute("SELECT sum(images) FROM workers").fetchone()[0]
    counted += sum(int(text.split()[0]) for kind, _, text in events() if kind == "arbitrated")
    refused = [worker for kind, worker, _ in events() if kind == "audit"]
    assert sorted(names[name] for name in refused if name) == sorted(pids), events()
    assert counted == IMAGES, "every image is counted once"


LONG = pytest.mark.check


@pytest.mark.parametrize(
    ("lies", "first"),
    [
        ([Lie.HUGE], 5),
        *(pytest.param([lie], first, marks=LONG) for lie in Lie for first in (1, 5) if (lie, first) != (Lie.HUGE, 5)),
        *(pytest.param([Lie.HUGE, Lie.MULTIPLY, Lie.NAN], first, marks=LONG) for first in (1, 5)),
    ],
)
def test_liars_are_expelled_and_the_bits_are_those_of_a_serial_run(serial: str, lies: list[Lie], first: int) -> None:
    """The run begins with the liars and two honest workers; when the liars are gone it waits for others."""
    run, command = coordinator(*BATCHES, *STEPS, *PLACES, "--min-workers", len(lies) + 2)
    with ExitStack() as stack:
        liars = [stack.enter_context(worker([lie, str(first), *command], program=LIAR)) for lie in lies]
        for _ in range(2):
            stack.enter_context(worker(command))
        for process in liars:
            assert process.wait(PATIENCE) == 1
        for _ in lies:
            stack.enter_context(worker(command))
        ended = finish(run)
    assert (ended.code, ended.json()["params_sha256"]) == (0, serial), ended.err
    found_out([process.pid for process in liars])
    assert any(kind == "corrected" for kind, *_ in events()) == (first > 1), "step 1 is computed twice from the start"


@pytest.mark.parametrize("first", [1, pytest.param(5, marks=LONG)])
def test_a_lone_liar_is_found_by_the_coordinator(serial: str, first: int) -> None:
    run, command = coordinator(*BATCHES, *STEPS, *PLACES)
    with worker([Lie.HUGE, str(first), *command], program=LIAR) as liar:
        assert liar.wait(PATIENCE) == 1
        with worker(command):
            ended = finish(run)
    assert (ended.code, ended.json()["params_sha256"]) == (0, serial), ended.err
    found_out([liar.pid])


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_run_that_diverges_says_at_which_step_in_which_layer_and_at_which_learning_rate(
    gradsum: Gradsum, workers: int
) -> None:
    save_data()
    options = ("train", "--data", "data.npz", "--model", "mlp", "--batch-size", 8, "--microbatch", 4, "--steps", 12)
    rate = ("--optimizer", "sgd", "--lr", 1e6)
    answer = gradsum(*options, *rate, *PLACES, "--workers", workers, "--quiet")
    assert answer.code == 1
    said = answer.err.splitlines()[-1]
    assert "step " in said
    assert said.endswith("try a learning rate below 1e+06")
    where = said.partition("the first values that are not finite are in ")[2].partition(";")[0]
    assert where
    told = [(kind, worker, text) for kind, worker, text in events() if kind in ("suspicious", "not finite", "audit")]
    assert any(kind == "suspicious" and text.endswith("the learning rate is 1e+06") for kind, _, text in told), told
    assert not [kind for kind, *_ in told if kind == "audit"], "nobody is blamed"
    assert [kind for kind, *_ in events() if kind == "confirmed"] == (["confirmed"] * 2 if workers else [])
    assert Path("out").is_dir()
