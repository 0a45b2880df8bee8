"""Mutated and random messages: `python -m benchmarks.fuzz [--messages N] [--steps N] [--pairs N]`.

First N against the decoder, out of which nothing but ProtocolError may come, in bounded memory; then, for as long as a
training of so many steps goes on, a flood against its coordinator, from strangers, from peers that have joined, and
from ones that speak no ZeroMQ. The training must end with the bits of a quiet one. At last each flood by itself: N
pairs of some seconds in which it goes on, and some in which a process that is not connected is as busy. Beside the
flood there must be LEAST of the steps a second that there are beside the other.
"""

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from threading import Thread
from typing import Any

from benchmarks.arguments import positive
from benchmarks.machine import facts
from engine.compute.job import job_from
from engine.errors import ProtocolError
from engine.system.blas import ONE_THREAD
from engine.wire import messages as m
from tests.support.chaos.arena import MAIN, Arena
from tests.support.chaos.flood import Flood, Flooding
from tests.support.chaos.flooder import KINDS
from tests.support.chaos.mutate import corpus, mutate

MEMORY = 256 << 20  # bytes that either may take besides
SECONDS = 4.0  # of each half of a pair
SETTLING = 0.5  # of these, seconds at the beginning that are not counted: processes start and connections are made
LEAST = 0.9
INTERRUPTED = 130  # exit code of a run that a signal ended; SIGINT may be ignored, as behind a shell's "&"
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
        numerics = _numerics()
        with Arena(folder, [*common, "--workers", "1", "--db", "r.db", "--out", "out"], [], seats=0) as arena:
            arena.wait_for_start()
            with Flood(arena.address, numerics, arena.pid, seed) as flood:
                began = time.monotonic()
                story = arena.run([])
            seconds = time.monotonic() - began
    same = story.result["params_sha256"] == wanted
    return {"steps": steps, "seconds": seconds, "sent": dict(flood.sent), "memory": flood.memory, "same_bits": same}


def _numerics() -> str:
    return subprocess.check_output([sys.executable, "-c", FINGERPRINT], text=True).strip()


def beside(kind: str, pairs: int) -> dict[str, float]:
    """Train beside one flood and beside a process that is as busy, in turns; return steps a second beside each."""
    halves: list[tuple[bool, float, float]] = []  # whether it was the flood, and from when to when
    shares: list[float] = []
    with tempfile.TemporaryDirectory() as place:
        common = ["train", "--steps", "10000000", "--json"]
        arguments = [*common, "--workers", "1", "--db", "r.db", "--out", "out"]
        with Arena(Path(place), arguments, [], seats=0) as arena:
            arena.wait_for_start()
            turns = Thread(target=_take_turns, args=(kind, arena, pairs, halves, shares))
            turns.start()
            story = arena.run([], INTERRUPTED)
            turns.join()
    rates: dict[bool, list[float]] = {True: [], False: []}
    for flooded, began, ended in halves:
        steps = [step for moment, step, _ in story.steps if began + SETTLING <= moment < ended]
        rates[flooded].append(len(steps) / (ended - began - SETTLING))
    ratios = [flooded / busy for flooded, busy in zip(rates[True], rates[False], strict=True)]
    both = {"flooded": median(rates[True]), "busy": median(rates[False]), "share": median(shares)}
    return both | {"ratio": median(ratios), "least": min(ratios), "most": max(ratios)}


def _take_turns(
    kind: str, arena: Arena, pairs: int, halves: list[tuple[bool, float, float]], shares: list[float]
) -> None:
    numerics = _numerics()
    try:
        for _ in range(pairs):
            for flooded in (True, False):
                share = None if flooded else shares[-1]
                with Flooding(kind, arena.address, numerics, arena.pid, share=share) as one:
                    began = time.monotonic()
                    time.sleep(SECONDS)
                    halves.append((flooded, began, time.monotonic()))
                if flooded:
                    shares.append(one.share)
    finally:
        os.kill(arena.pid, signal.SIGTERM)


def main() -> int:
    """Fuzz and print; the exit code is 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=positive, default=1_000_000)
    parser.add_argument("--steps", type=positive, default=1000)
    parser.add_argument("--pairs", type=positive, default=5)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="floods by themselves")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    a = parser.parse_args()
    os.environ.update(ONE_THREAD)
    found: dict[str, Any] = {"machine": facts(), "decoder": decoder(a.messages, a.seed), "live": live(a.steps, a.seed)}
    found["beside"] = {kind: beside(kind, a.pairs) for kind in a.kinds if a.pairs}
    print(json.dumps(found)) if a.json else _tell(found)
    bounded = max(found["decoder"]["memory"], found["live"]["memory"]) < MEMORY
    fast = all(one["ratio"] >= LEAST for one in found["beside"].values())
    return 0 if bounded and fast and found["live"]["same_bits"] else 1


def _tell(found: dict[str, Any]) -> None:
    one, two = found["decoder"], found["live"]
    print(f"decoder: {one['messages']:,} messages, {one['understood']:,} of them still messages,", end=" ")
    print(f"{one['seconds']:.0f} s, {one['memory'] >> 20} MiB more; no error but ProtocolError")
    sent = ", ".join(f"{kind} {count:,}" for kind, count in two["sent"].items())
    bits = "the bits of the quiet run" if two["same_bits"] else "OTHER BITS"
    print(f"live: {two['steps']} steps, {two['seconds']:.0f} s, {two['memory'] >> 20} MiB more, {bits};", end=" ")
    print(f"sent: {sent}")
    for kind, three in found["beside"].items():
        print(f"{kind}: {three['flooded']:.1f} steps/s, beside one as busy ({three['share']:.2f} of a core)", end=" ")
        print(f"{three['busy']:.1f}; ratio {three['ratio']:.2f} ({three['least']:.2f} to {three['most']:.2f})")


if __name__ == "__main__":
    sys.exit(main())
