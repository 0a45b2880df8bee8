"""Predict a step's time on up to 256 machines, with the program's own coordinator, relays and sessions."""

import argparse
import json
import statistics
import sys
from dataclasses import replace

from benchmarks.arguments import positive
from benchmarks.simulation import faults, plans
from benchmarks.simulation.machines import Cluster, Shape
from benchmarks.simulation.model import Costs

GIGABIT = 1e9 / 8
WARM = 40  # steps before the first that counts: speeds are learnt, and with them where shares end
STAR: Shape = "star"
TREE: Shape = "tree"
EXCHANGE: Shape = "exchange"


def measure(
    machines: int, processes: int, gigabits: float, shape: Shape, costs: Costs, steps: int, warm: int = WARM
) -> dict[str, float]:
    """Return the median milliseconds of a step, and vectors a step on the coordinator's link, each way."""
    cluster = Cluster(machines, processes, gigabits * GIGABIT, shape, costs)
    for step in range(1, warm):
        cluster.step(step)
    sent, received = cluster.link.sent, cluster.link.received
    times = [cluster.step(step) for step in range(warm, warm + steps)]
    vectors = steps * costs.vector
    return {
        "ms": 1000 * statistics.median(times),
        "sent": (cluster.link.sent - sent) / vectors,
        "received": (cluster.link.received - received) / vectors,
    }


def main() -> int:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--machines", type=positive, nargs="+", default=[1, 2, 4, 8, 16], help="how many (default: 1 to 16)"
    )
    parser.add_argument("--processes", type=positive, default=16, help="of each machine (default: 16)")
    parser.add_argument("--gigabits", type=float, nargs="+", default=[1.0], help="a second, of each link (default: 1)")
    parser.add_argument("--steps", type=positive, default=5, help="whose median is taken (default: 5)")
    parser.add_argument("--warm", type=positive, default=WARM, help=f"steps before these, at least 1 (default: {WARM})")
    parser.add_argument("--microbatch", type=float, default=5.0, help="milliseconds of one micro-batch (default: 5)")
    parser.add_argument("--noise", type=float, default=0.05, help="deviation of that, as a fraction (default: 0.05)")
    parser.add_argument("--singles", action="store_true", help="also processes with a connection each")
    parser.add_argument("--without", choices=(STAR, TREE, EXCHANGE), nargs="*", default=[], help="what to leave out")
    parser.add_argument("--faults", type=positive, default=0, metavar="N", help="check N schedules of faults instead")
    parser.add_argument("--seed", type=int, default=1, help="of these (default: 1)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    rows = table(arguments)
    if arguments.json:
        print(json.dumps(rows))
    return 0


def table(arguments: argparse.Namespace) -> list[dict[str, float]]:
    """Return the rows, and print each as soon as it is there unless JSON is wanted."""
    costs = replace(Costs(), microbatch=arguments.microbatch / 1000, noise=arguments.noise)
    if arguments.faults:
        rows: list[dict[str, float]] = [dict(faults.run(arguments.faults, costs, arguments.seed))]
    else:
        sizes = [(gigabits, machines) for gigabits in arguments.gigabits for machines in arguments.machines]
        rows = []
        for gigabits, machines in sizes:
            rows.append(predict(gigabits, machines, arguments, costs))
            if not arguments.json:
                print("  ".join(f"{name} {value:g}" for name, value in rows[-1].items()), flush=True)
    if arguments.faults and not arguments.json:
        print("  ".join(f"{name} {value:g}" for name, value in rows[-1].items()), flush=True)
    return rows


def predict(gigabits: float, machines: int, arguments: argparse.Namespace, costs: Costs) -> dict[str, float]:
    """Return a row: milliseconds of a step for each way to connect the machines."""
    size, rate = (machines, arguments.processes), gigabits * GIGABIT
    row = {"gigabits": gigabits, "machines": float(machines)}
    if arguments.singles:
        row["single processes"] = measure(*size, gigabits, "singles", costs, arguments.steps, arguments.warm)["ms"]
    for shape, name in ((STAR, "star of relays"), (TREE, "tree of relays"), (EXCHANGE, "exchange of relays")):
        if shape not in arguments.without:
            found = measure(*size, gigabits, shape, costs, arguments.steps, arguments.warm)
            row |= {name: found["ms"], f"vectors up, {shape}": found["received"]}
    row["tree in chunks"] = 1000 * plans.Tree(*size, rate, costs).seconds()
    return {name: round(value, 1) for name, value in row.items()}


if __name__ == "__main__":
    sys.exit(main())
