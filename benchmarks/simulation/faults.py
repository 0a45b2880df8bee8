"""Schedules of faults: small clusters in which processes and relays end, links are cut, and machines are slow."""

import random
from collections import Counter
from collections.abc import Callable
from functools import partial

from benchmarks.simulation.machines import Cluster, Shape
from benchmarks.simulation.model import Costs
from benchmarks.simulation.relayed import RelayedMachine

RATE = 1e9 / 8  # bytes a second
STEPS = 8
CUT = 5.0  # seconds for which a link is cut
SLOW, STUCK = 10.0, 1000.0  # times as long as others a slow process takes, and one that is nearly stuck
KINDS = (
    *("process lost", "relay lost", "inner relay lost", "link cut"),
    *("process slow", "machine slow", "machine stuck", "machine new"),
)


def run(schedules: int, costs: Costs, seed: int = 1) -> Counter[str]:
    """Take steps on clusters with faults, and return what happened how often; AssertionError if any sum is wrong.

    Half of the clusters are stars, the others trees. Messages are counted as they come in at coordinators and relays,
    events and instructions as the coordinators' schedulers have them.
    """
    rng, done = random.Random(seed), Counter[str]()
    for number in range(schedules):
        shape: Shape = "tree" if number % 2 else "star"
        cluster = Cluster(rng.randint(2, 7), rng.randint(1, 3), RATE, shape, costs, rng.randrange(1 << 30))
        for step in range(1, STEPS + 1):
            for _ in range(rng.randint(0, 2)):
                kind = rng.choice(KINDS)
                done[kind] += harm(cluster, kind, rng)
            cluster.step(step)
        cluster.coordinator.close()
        done["schedules"] += 1
        done["steps"] += STEPS
        done.update(cluster.scheduler.kinds)
        for socket in (cluster.socket, *(machine.socket for machine in cluster.relays)):
            done.update(socket.kinds)
    return done


def harm(cluster: Cluster, kind: str, rng: random.Random) -> bool:
    """Do what `kind` says to a machine, in the next 60 ms; return whether that was possible."""
    there = [machine for machine in cluster.relays if not machine.ended]
    machine = rng.choice(there)
    if kind == "inner relay lost":
        inner = {above for one in there if (above := one.above) is not None}
        if not inner:
            return False
        machine = min(inner, key=lambda one: one.name)
    if kind in ("relay lost", "inner relay lost", "link cut") and sum(one.plugged() for one in there) < 2:
        return False
    cluster.events.at(cluster.events.now + rng.random() * 0.06, what(cluster, kind, machine))
    return True


def what(cluster: Cluster, kind: str, machine: RelayedMachine) -> Callable[[], None]:
    """Return the function that does it."""
    if kind == "process lost":
        return machine.lose
    if kind == "link cut":
        return partial(machine.cut, CUT)
    if kind in ("process slow", "machine slow"):
        return partial(machine.slow_down, SLOW, kind == "machine slow")
    if kind == "machine stuck":
        return partial(machine.slow_down, STUCK, True)
    return cluster.grow if kind == "machine new" else machine.end
