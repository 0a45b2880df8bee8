"""Ways that the program does not have: vectors in chunks through a tree of relays, and an exchange among relays.

Only the network is simulated, chunk by chunk, with the same links and costs; what the program's own state machines
would add is not known.
"""

from benchmarks.simulation.events import Events
from benchmarks.simulation.model import Costs
from benchmarks.simulation.network import Link, Network

CHUNKS = 16


class _Links:
    def __init__(self, machines: int, rate: float, costs: Costs) -> None:
        self.links = [Link() for _ in range(machines + 1)]  # the coordinator's first
        self._network = Network(Events(), rate, costs.latency)

    def carry(self, here: int, there: int, size: float, when: float) -> float:
        return self._network.carry(self.links[here], self.links[there], int(size), when, lambda: None)


def tree(machines: int, processes: int, rate: float, costs: Costs) -> float:
    """Return the seconds of a step where each machine passes chunks on to two others, and the sums of these back."""
    links, size = _Links(machines, rate, costs), costs.vector / CHUNKS
    children = {n: [c for c in (2 * n + 1, 2 * n + 2) if c <= machines] for n in range(machines + 1)}
    come = {0: [costs.step + 2 * costs.remote] * CHUNKS}
    for k in range(CHUNKS):  # in the order in which a link carries them
        for n in range(machines + 1):
            for child in children[n]:
                arrived = links.carry(n, child, size, come[n][k] + costs.wake / CHUNKS)
                come.setdefault(child, [0.0] * CHUNKS)[k] = arrived
    busy = 4 * costs.microbatch + 2 * processes * costs.local + 2 * costs.wake
    there = {n: [(come[n][-1] + busy if n else 0.0)] * CHUNKS for n in range(machines + 1)}
    for k in range(CHUNKS):
        for n in range(machines, 0, -1):
            arrived = links.carry(n, (n - 1) // 2, size, there[n][k] + 2 * costs.add / CHUNKS)
            parent = (n - 1) // 2
            there[parent][k] = max(there[parent][k], arrived + costs.remote / CHUNKS)
    return max(there[0])


def exchange(machines: int, processes: int, rate: float, costs: Costs) -> float:
    """Return the seconds of a step where each machine adds one part of the vector for all, and passes its part on."""
    links, part = _Links(machines, rate, costs), costs.vector / machines
    everyone = range(1, machines + 1)
    began = costs.step + machines * costs.remote
    own = {n: links.carry(0, n, part, began) for n in everyone}
    come = dict(own)
    for shift in range(1, machines):  # no two send to the same one at a time
        for n in everyone:
            to = (n - 1 + shift) % machines + 1
            come[to] = max(come[to], links.carry(n, to, part, own[n]))
    busy = 4 * costs.microbatch + 2 * processes * costs.local + 2 * costs.wake
    ready = {n: come[n] + busy for n in everyone}
    parts = dict(ready)
    for shift in range(1, machines):
        for n in everyone:
            to = (n - 1 + shift) % machines + 1
            parts[to] = max(parts[to], links.carry(n, to, part, ready[n]))
    adding = costs.add + machines * costs.local
    return max(links.carry(n, 0, part, parts[n] + adding) for n in everyone) + machines * costs.remote
