"""Whatever comes in, the decoder returns a message or raises ProtocolError, in bounded memory."""

import contextlib
import random
import tracemalloc

import pytest

from engine.compute.job import job_from
from engine.errors import ProtocolError
from engine.wire import messages as m
from tests.support.chaos.mutate import corpus, mutate
from tests.support.fakes import JOB

MESSAGES = 30_000


def test_messages_of_every_kind_are_understood_before_they_are_mutated() -> None:
    kinds = [type(m.decode(frames)[0]) for frames in corpus()]
    assert set(kinds) == set(m.MESSAGES.values())


@pytest.mark.parametrize("seed", [1, 2])
def test_only_protocol_errors_come_out_of_the_decoder(seed: int) -> None:
    rng, originals = random.Random(seed), corpus()
    outcomes = {"message": 0, "error": 0}
    for number in range(MESSAGES):
        frames = mutate(rng, originals[number % len(originals)], originals)
        try:
            message, payload = m.decode(frames)
        except ProtocolError:
            outcomes["error"] += 1
            continue
        outcomes["message"] += 1
        assert m.decode(m.encode(message, payload)), "what was understood can be said"
    assert min(outcomes.values()) > MESSAGES // 100, "both must be tried"


def test_only_protocol_errors_come_out_of_the_description_of_a_job() -> None:
    rng, original = random.Random(3), [m.pack(JOB.describe())]
    understood = 0
    for _ in range(MESSAGES // 10):
        changed = mutate(rng, original, [original])
        try:
            job_from(m.unpack(changed[0] if changed else b""))
            understood += 1
        except ProtocolError:
            pass
    assert 0 < understood < MESSAGES // 10


def test_promises_of_more_than_follows_take_no_memory() -> None:
    rng, originals = random.Random(4), corpus()
    many = [mutate(rng, rng.choice(originals), originals) for _ in range(5000)]
    tracemalloc.start()
    try:
        for frames in many:
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            with contextlib.suppress(ProtocolError):
                m.decode(frames)
            size = sum(map(len, frames))
            assert tracemalloc.get_traced_memory()[1] - before < 100_000 + 100 * size
    finally:
        tracemalloc.stop()
