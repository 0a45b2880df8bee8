"""Every kind of fault, some of them at once, in a real run: it ends with the bits of a quiet one, nothing is left."""

from pathlib import Path

import pytest

from tests.support.chaos.arena import Arena
from tests.support.chaos.books import audit, delays
from tests.support.chaos.schedule import WITHOUT_DISK, schedule
from tests.support.command import Gradsum, save_data

SAMPLES, BATCH, STEPS = 200, 64, 150  # with a smaller batch at the end of every epoch
RUN = ("train", "--data", "data.npz", "--model", "lenet", "--batch-size", BATCH, "--microbatch", 4, "--steps", STEPS)
PLACES = ("--db", "r.db", "--out", "out", "--workers", 1, "--json")
OFTEN = ("--checkpoint-every", 10, "--validate-every", 60)


@pytest.mark.parametrize("key", [None, pytest.param(Path("key"), marks=pytest.mark.check)], ids=["plain", "CURVE"])
def test_a_run_under_every_fault_ends_with_the_bits_of_a_quiet_one(
    tidy: Path, gradsum: Gradsum, key: Path | None
) -> None:
    save_data(train=SAMPLES, side=12)
    quiet = gradsum(*RUN, "--workers", 0, "--db", "whole.db", "--out", "whole", "--json").json()
    events = schedule(seed=1, steps=STEPS, faults=len(WITHOUT_DISK), longest=2.0, quiet=20)
    assert {event.fault for event in events} == set(WITHOUT_DISK)
    run = [str(word) for word in (*RUN, *PLACES, *OFTEN)]
    resume = [str(word) for word in ("train", "--resume", "out", *PLACES)]
    with Arena(Path(), run, resume, seats=2, key=key.absolute() if key else None) as arena:
        story = arena.run(events)
    assert [struck.fault for struck in story.faults] == [event.fault for event in events]
    assert story.result["params_sha256"] == quiet["params_sha256"]
    books = audit(Path("r.db"), story, SAMPLES, BATCH, STEPS)
    assert (books.missing, books.repeated, books.lost, books.doubled) == (0, 0, 0, 0), books
    assert books.due > 0
    assert len(story.sittings) == 2, "the coordinator was killed once"
    assert max(count for *_, count in story.steps) >= 2, "no remote worker took part"
    assert max(max(found) for found in delays(story).values()) < 60
