"""Schedules of faults: small clusters in which processes and relays end, links are cut, and machines are slow."""

import random
from collections import Counter
from collections.abc import Callable
from functools import partial

from benchmarks.simulation.linked import SimulatedLinks
from benchmarks.simulation.machines import Cluster, Shape
from benchmarks.simulation.model import Costs
from benchmarks.simulation.relayed import RelayedMachine
from engine.coordinator.notices import NoticeKind
from engine.wire.exchange import Add
from engine.wire.messages import Work

RATE = 1e9 / 8  # bytes a second
STEPS = 8
CUT = 5.0  # seconds for which a link is cut
SLOW, STUCK = 10.0, 1000.0  # times as long as others a slow process takes, and one that is nearly stuck
KINDS = (
    *("process lost", "relay lost", "inner relay lost", "link cut"),
    *("process slow", "machine slow", "machine stuck", "machine new"),
)
OF_EXCHANGE = (
    *("member lost", "link between members lost", "slow member", "unreachable port"),
    *("late sums", "late parameters"),
)
SHAPES: tuple[Shape, ...] = ("star", "tree", "exchange")
PARTING = ("relay lost", "member lost", "inner relay lost", "link cut")
AGAIN = {"has left": "gone", "cannot reach": "unreached", "had nothing in time": "unheard", "sent no sums": "late"}


def run(schedules: int, costs: Costs, seed: int = 1) -> Counter[str]:
    """Take steps on clusters with faults, and return what happened how often; AssertionError if any sum is wrong.

    Clusters are stars, trees and exchanges by turns; a half of what happens to an exchange is of its own kinds.
    Messages are counted as they come in at coordinators and relays, events and instructions as the coordinators'
    schedulers have them, and why steps were taken again as notices say.
    """
    rng, done = random.Random(seed), Counter[str]()
    for number in range(schedules):
        shape = SHAPES[number % len(SHAPES)]
        least = 4 if shape == "exchange" else 2
        cluster = Cluster(rng.randint(least, 7), rng.randint(1, 3), RATE, shape, costs, rng.randrange(1 << 30))
        for step in range(1, STEPS + 1):
            for _ in range(rng.randint(0, 2)):
                kind = rng.choice(OF_EXCHANGE if shape == "exchange" and rng.random() < 0.5 else KINDS)
                done[kind] += harm(cluster, kind, rng)
            cluster.step(step)
        cluster.coordinator.close()
        done["schedules"] += 1
        done["steps"] += STEPS
        done.update(cluster.scheduler.kinds)
        texts = [notice.text for notice in cluster.notices if notice.kind is NoticeKind.AGAIN]
        done.update(f"again: {name}" for text in texts for words, name in AGAIN.items() if words in text)
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
    if kind == "link between members lost":
        return lose_link(cluster, machine, rng)
    if kind in PARTING and sum(one.plugged() for one in there) < 2:
        return False
    cluster.events.at(cluster.events.now + rng.random() * 0.06, what(cluster, kind, machine))
    return True


def lose_link(cluster: Cluster, machine: RelayedMachine, rng: random.Random) -> bool:
    """Cut the connection of a member to another for a while; return whether it has any."""
    links = machine.links
    if not isinstance(links, SimulatedLinks) or not links.to:
        return False
    number = rng.choice(sorted(links.to))

    def cut() -> None:
        if number in links.to:
            links.cut(number, seconds=CUT)

    cluster.events.at(cluster.events.now + rng.random() * 0.06, cut)
    return True


def what(cluster: Cluster, kind: str, machine: RelayedMachine) -> Callable[[], None]:
    """Return the function that does it."""
    others: dict[str, Callable[[], None]] = {
        "process lost": machine.lose,
        "link cut": partial(machine.cut, CUT),
        "process slow": partial(machine.slow_down, SLOW, False),
        "machine slow": partial(machine.slow_down, SLOW, True),
        "slow member": partial(machine.slow_down, SLOW, True),
        "machine stuck": partial(machine.slow_down, STUCK, True),
        "unreachable port": partial(cluster.grow, reachable=False),
        "late sums": partial(machine.freeze_at, Add.opcode),
        "late parameters": partial(machine.freeze_at, Work.opcode),
        "machine new": cluster.grow,
    }
    return others.get(kind, machine.end)
