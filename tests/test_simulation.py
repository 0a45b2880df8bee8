"""The simulated cluster: sums are exact through faults of every kind, and a tree of relays sends few vectors."""

from dataclasses import replace

import pytest

from benchmarks.simulate import measure
from benchmarks.simulation import faults, plans
from benchmarks.simulation.model import Costs

# What must have happened: each kind of fault, each message, and what the coordinators' schedulers were told and said.
MUST = (
    *faults.KINDS,
    *faults.OF_EXCHANGE,
    *(f"again: {why}" for why in faults.AGAIN.values()),
    *("Hello", "Ready", "Place", "Process", "Arrived", "Credit", "Result", "Goodbye", "Met", "Fault", "Sum"),
    *("Joined", "Resized", "Left", "Begin", "Answered", "Tick", "Assign", "Accept", "Ignore", "Lapsed", "Complete"),
)


def test_sums_are_exact_through_faults() -> None:
    done = faults.run(9, Costs(), seed=3)
    assert done["schedules"] == 9


@pytest.mark.check
@pytest.mark.computes
def test_everything_happens_often_enough() -> None:
    done = faults.run(2000, Costs())
    assert {kind: done[kind] for kind in MUST if done[kind] < 100} == {}


def test_a_tree_sends_fewer_vectors_than_a_star() -> None:
    star, tree = (measure(8, 2, 1.0, shape, Costs(), 5) for shape in ("star", "tree"))
    assert tree["received"] < 6
    assert star["received"] >= 8
    assert tree["ms"] < star["ms"]


def test_an_exchange_sends_one_vector_each_way_to_the_coordinator() -> None:
    for machines in (4, 8):
        star, exchange = (measure(machines, 2, 1.0, shape, Costs(), 5) for shape in ("star", "exchange"))
        assert 1.0 <= exchange["received"] < 1.1
        assert 1.0 <= exchange["sent"] < 1.1
        assert exchange["ms"] < star["ms"]


def test_a_tree_in_chunks_is_bound_by_the_coordinators_link() -> None:
    free = replace(Costs(), remote=0.0, carry=0.0, byte=0.0, latency=0.0, add=0.0, wake=0.0)
    rate, vector = 1e8, free.vector / 1e8
    for machines, vectors in ((1, 1), (2, 2), (8, 4)):
        found = plans.Tree(machines, 2, rate, free).seconds() - free.step - plans.busy(2, free)
        assert (vectors + 1) * vector * 0.99 <= found <= 2.1 * vectors * vector
