"""Mutated and random messages: `python -m benchmarks.fuzz [--messages N] [--steps N]`.

First N against the decoder, out of which nothing but ProtocolError may come, in bounded memory; then, for as long as a
training of so many steps goes on, a flood against its coordinator, from strangers, from peers that have joined, and
from ones that speak no ZeroMQ. The training must end with the bits of a quiet one.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import facts
from engine.compute.job import job_from
from engine.errors import ProtocolError
from engine.system.blas import ONE_THREAD
from engine.wire import messages as m
from tests.support.chaos.arena import MAIN, Arena
from tests.support.chaos.flood import Flood
from tests.support.chaos.mutate import corpus, mutate

MEMORY = 256 << 20  # bytes that either may take besides
FINGERPRINT = "from engine.compute.fingerprint import fingerprint; print(fingerprint())"


def decoder(messages: int, seed: int) -> dict[str, Any]:
    """Decode mutated messages, and descriptions of jobs in them; anything but ProtocolError is let through."""
    rng, originals = random.Random(seed), corpus()  # noqa: S311 - not for secrets
    understood = 0
    before, began = _peak(), time.perf_counter()
    for number in range(messages):
        frames = mutate(rng, originals[number % len(originals)], originals)
        try:
            _, payload = m.decode(frames)
            understood += 1
            if payload is not None and len(payload) <= m.JOB_LIMIT:
                job_from(m.unpack(payload))
        except ProtocolError:
            pass
    seconds = time.perf_counter() - began
    return {"messages": messages, "understood": understood, "seconds": seconds, "memory": _peak() - before}


def _peak() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def live(steps: int, seed: int) -> dict[str, Any]:
    """Train under a flood, and return what was sent and whether the bits are those of a quiet run."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        common = ["train", "--steps", str(steps), "--json"]
        quiet = [sys.executable, "-P", "-c", MAIN, *common, "--workers", "0", "--db", "q.db", "--out", "q", "--quiet"]
        wanted = json.loads(subprocess.check_output(quiet, cwd=folder).splitlines()[-1])["params_sha256"]
        numerics = subprocess.check_output([sys.executable, "-c", FINGERPRINT], text=True).strip()
        with Arena(folder, [*common, "--workers", "1", "--db", "r.db", "--out", "out"], [], seats=0) as arena:
            arena.wait_for_start()
            with Flood(arena.address, numerics, arena.pid, seed) as flood:
                began = time.monotonic()
                story = arena.run([])
            seconds = time.monotonic() - began
    least, most = flood.memory
    same = story.result["params_sha256"] == wanted
    return {"steps": steps, "seconds": seconds, "sent": dict(flood.sent), "memory": most - least, "same_bits": same}


def main() -> int:
    """Fuzz and print; the exit code is 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    a = parser.parse_args()
    os.environ.update(ONE_THREAD)
    found = {"machine": facts(), "decoder": decoder(a.messages, a.seed), "live": live(a.steps, a.seed)}
    if a.json:
        print(json.dumps(found))
    else:
        one, two = found["decoder"], found["live"]
        print(f"decoder: {one['messages']:,} messages, {one['understood']:,} of them still messages,", end=" ")
        print(f"{one['seconds']:.0f} s, {one['memory'] >> 20} MiB more; nothing but ProtocolError")
        sent = ", ".join(f"{kind} {count:,}" for kind, count in two["sent"].items())
        bits = "the bits of the quiet run" if two["same_bits"] else "OTHER BITS"
        print(f"live: {two['steps']} steps, {two['seconds']:.0f} s, {two['memory'] >> 20} MiB more, {bits};", end=" ")
        print(f"sent: {sent}")
    bounded = max(found["decoder"]["memory"], found["live"]["memory"]) < MEMORY
    return 0 if bounded and found["live"]["same_bits"] else 1


if __name__ == "__main__":
    sys.exit(main())
