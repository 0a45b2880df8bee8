"""The simulated cluster: sums are exact through faults of every kind, and a tree of relays sends few vectors."""

from dataclasses import replace

import pytest

from benchmarks.simulate import measure
from benchmarks.simulation import faults, plans
from benchmarks.simulation.model import Costs

# What must have happened: each kind of fault, each message, and what the coordinators' schedulers were told and said.
MUST = (
    *faults.KINDS,
    *("Hello", "Ready", "Place", "Process", "Arrived", "Credit", "Result", "Goodbye"),
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


def test_an_exchange_takes_two_vectors_a_link_and_its_messages() -> None:
    free = replace(Costs(), remote=0.0, carry=0.0, byte=0.0, latency=0.0, add=0.0)
    rate, vector = 1e8, free.vector / 1e8
    computing = free.step + plans.busy(2, free)
    assert plans.Exchange(1, 2, rate, free).seconds() - computing == pytest.approx(2 * vector)
    for machines in (2, 8, 32):
        least = plans.Exchange(machines, 2, rate, free).seconds() - computing
        assert 2 * vector * (2 - 1 / machines) <= least * 1.001
        assert least <= 4.1 * vector
        costly = replace(free, remote=0.01)
        more = plans.Exchange(machines, 2, rate, costly).seconds() - plans.Exchange(machines, 2, rate, free).seconds()
        assert more >= 4 * (machines - 1) * 0.01, "each machine sends and takes one of each other, twice"


def test_a_tree_in_chunks_is_bound_by_the_coordinators_link() -> None:
    free = replace(Costs(), remote=0.0, carry=0.0, byte=0.0, latency=0.0, add=0.0, wake=0.0)
    rate, vector = 1e8, free.vector / 1e8
    for machines, vectors in ((1, 1), (2, 2), (8, 4)):
        found = plans.Tree(machines, 2, rate, free).seconds() - free.step - plans.busy(2, free)
        assert (vectors + 1) * vector * 0.99 <= found <= 2.1 * vectors * vector
