"""One rank of PyTorch DistributedDataParallel as a user would make it elastic; used by `kill`, started by torchrun.

It saves a checkpoint every `--every` steps, and begins with the one that is there. In `--folder` it notes its process
id, and a line for each step: the time, the step, and the step that this attempt began with.
"""

import argparse
import os
import time
from pathlib import Path

import torch
from torch import nn

from benchmarks.arguments import positive


def network() -> nn.Module:
    """Return the `letters` network."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((1, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(inputs, outputs, 3), nn.MaxPool2d(2, ceil_mode=True)]
    layers += [nn.Flatten(), nn.Linear(512, 64), nn.GELU(), nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 26)]
    return nn.Sequential(*layers)


def main() -> None:
    """Train until --steps are done, from the checkpoint if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=positive, required=True)
    parser.add_argument("--every", type=positive, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    a = parser.parse_args()
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo")
    rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
    torch.manual_seed(3)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    saved, step = a.folder / "checkpoint.pt", 0
    if saved.exists():
        state = torch.load(saved, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
    began = step
    parallel = nn.parallel.DistributedDataParallel(model)
    (a.folder / f"rank-{rank}.pid").write_text(str(os.getpid()))
    with (a.folder / f"rank-{rank}.log").open("a", buffering=1) as log:
        while step < a.steps:
            generator = torch.Generator().manual_seed(step * ranks + rank)
            images = torch.randn(64 // ranks, 1, 28, 28, generator=generator)
            labels = torch.randint(26, (64 // ranks,), generator=generator)
            optimizer.zero_grad()
            nn.functional.cross_entropy(parallel(images), labels).backward()
            optimizer.step()
            step += 1
            log.write(f"{time.time()} {step} {began}\n")
            if rank == 0 and step % a.every == 0:
                part = saved.with_suffix(".part")
                torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, part)
                part.replace(saved)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
