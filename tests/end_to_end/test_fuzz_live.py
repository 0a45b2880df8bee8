"""A coordinator that is training, under a flood of mutated messages: it goes on, and the bits are right."""

import subprocess
import sys
from pathlib import Path

from tests.support.chaos.arena import Arena
from tests.support.chaos.flood import Flood
from tests.support.command import Gradsum, save_data

RUN = ("train", "--data", "data.npz", "--model", "lenet", "--batch-size", 64, "--microbatch", 8, "--steps", 500)
MEMORY = 200 << 20  # bytes that a flood may take
FINGERPRINT = "from engine.compute.fingerprint import fingerprint; print(fingerprint())"


def test_a_flood_of_mutated_messages_changes_nothing(tidy: Path, gradsum: Gradsum) -> None:
    save_data(train=200, side=12)
    quiet = gradsum(*RUN, "--workers", 0, "--db", "whole.db", "--out", "whole", "--json").json()
    numerics = subprocess.check_output([sys.executable, "-c", FINGERPRINT], text=True).strip()
    run = [str(word) for word in (*RUN, "--db", "r.db", "--out", "out", "--workers", 1, "--json")]
    with Arena(Path(), run, [], seats=0) as arena, Flood(arena.address, numerics, arena.pid, seed=1) as flood:
        arena.wait_for_start()
        story = arena.run([])
    assert story.result["params_sha256"] == quiet["params_sha256"]
    assert min(flood.sent[kind] for kind in ("stranger", "raw", "welcomed")) > 0, flood.sent
    assert flood.memory < MEMORY
