"""The simulated cluster: sums are exact through faults of every kind, and a tree of relays sends few vectors."""

import pytest

from benchmarks.simulate import measure
from benchmarks.simulation import faults
from benchmarks.simulation.model import Costs

# What must have happened: each kind of fault, each message, and what the coordinators' schedulers were told and said.
MUST = (
    *faults.KINDS,
    *("Hello", "Ready", "Place", "Process", "Credit", "Result", "Goodbye"),
    *("Joined", "Resized", "Left", "Begin", "Answered", "Tick", "Assign", "Accept", "Ignore", "Lapsed", "Complete"),
)


def test_sums_are_exact_through_faults() -> None:
    done = faults.run(6, Costs(), seed=3)
    assert done["schedules"] == 6


@pytest.mark.check
@pytest.mark.computes
def test_everything_happens_often_enough() -> None:
    done = faults.run(1000, Costs())
    assert {kind: done[kind] for kind in MUST if done[kind] < 100} == {}


def test_a_tree_sends_fewer_vectors_than_a_star() -> None:
    star, tree = (measure(8, 2, 1.0, shape, Costs(), 5) for shape in ("star", "tree"))
    assert tree["received"] < 6
    assert star["received"] >= 8
    assert tree["ms"] < star["ms"]
