"""Every kind of fault, some of them at once, in a real run: it ends with the bits of a quiet one, nothing is left."""

import os
from pathlib import Path

import pytest

from tests.chaos.arena import Arena
from tests.chaos.books import audit, delays
from tests.chaos.schedule import Fault, schedule
from tests.command import Gradsum, save_data

SAMPLES, BATCH, STEPS = 200, 64, 250  # an odd last batch in every epoch
RUN = ("train", "--data", "data.npz", "--model", "lenet", "--batch-size", BATCH, "--microbatch", 4, "--steps", STEPS)
PLACES = ("--db", "r.db", "--out", "out")
OFTEN = ("--checkpoint-every", 20, "--validate-every", 100)


def words(*arguments: object) -> list[str]:
    return [str(argument) for argument in arguments]


@pytest.mark.timeout(240)
def test_a_run_under_every_fault_ends_with_the_bits_of_a_quiet_one(tidy: Path, gradsum: Gradsum) -> None:
    save_data(train=SAMPLES, side=12)
    quiet = gradsum(*RUN, "--workers", 0, "--db", "whole.db", "--out", "whole", "--json").json()
    events = schedule(seed=1, steps=STEPS, faults=len(Fault), longest=2.0, quiet=30)
    assert {event.fault for event in events} == set(Fault)
    run = words(*RUN, *PLACES, *OFTEN, "--workers", 1, "--no-mailbox", "--json")
    resume = words("train", "--resume", "out", "--db", "r.db", "--workers", 1, "--json")
    with Arena(Path(), run, resume, seats=2) as arena:
        story = arena.run(events)
    assert [struck.fault for struck in story.faults] == [event.fault for event in events]
    assert story.result["params_sha256"] == quiet["params_sha256"]
    books = audit(Path("r.db"), story, SAMPLES, BATCH, STEPS)
    assert (books.missing, books.repeated, books.lost, books.doubled) == (0, 0, 0, 0), books
    assert books.due > 0
    assert max(count for *_, count in story.steps) == 3, "the remote workers never took part"
    assert max(max(found) for found in delays(story).values()) < 60
    assert os.environ["TMPDIR"] == str(tidy)
    print(books, {k.name: [round(x, 2) for x in v] for k, v in delays(story).items()}, story.ended_by_themselves)
    import sqlite3

    print(
        "Q",
        sqlite3.connect("r.db").execute("select worker, joined, left, reason, images, seconds from workers").fetchall(),
    )
    print("Q", sqlite3.connect("r.db").execute("select time, kind, worker, text from events").fetchall())
    print(Path("stderr.txt").read_text())
    t0 = story.faults[0].moment
    for s in story.faults:
        print(round(s.moment - t0, 2), s.step, s.fault.name, round(s.lasted, 2))
