"""Fashion-MNIST by gradsum and by PyTorch, with the same network, optimizer, schedule and augmentation.

Each round trains with both for --epochs, in a process each, with a seed of its own: the `letters` network, batches of
128, AdamW with a rate up to 0.003 that goes up and down over the run and a decay of 0.05, images mirrored at random and
shifted by up to a pixel. Shown are the seconds of an epoch and how many of the 10,000 test images are read right in the
end. gradsum has --cores workers, PyTorch as many threads, channels_last and fused AdamW: `pip install -e .[bench]`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from benchmarks.arguments import positive

if TYPE_CHECKING:  # so that --help works without PyTorch
    import torch

DATA, BATCH, RATE, DECAY = "fashion-mnist", 128, 0.003, 0.05
CONTENDERS = "gradsum", "PyTorch"


def gradsum(epochs: int, cores: int, seed: int) -> dict[str, float]:
    """Train with gradsum."""
    import engine

    with TemporaryDirectory() as folder:
        options: dict[str, Any] = {"db": Path(folder) / "records.db", "out": Path(folder) / "out"}
        options |= {"workers": cores, "batch_size": BATCH, "epochs": epochs, "seed": seed}
        options |= {"schedule": "onecycle", "augment": "flip,shift=1"}
        result = engine.train("letters", DATA, optimizer=engine.AdamW(lr=RATE, weight_decay=DECAY), **options)
    percent = result.validation.percent if result.validation else 0.0
    return {"seconds": result.wall_seconds, "percent": percent}


def pytorch(epochs: int, cores: int, seed: int) -> dict[str, float]:
    """Train with PyTorch."""
    import torch
    from torch import nn

    import engine
    from benchmarks.contender_torch import network

    torch.set_num_threads(cores)
    torch.manual_seed(seed)
    data = engine.load_data(DATA)
    images = torch.from_numpy(data.train.images.copy()).reshape(-1, 28, 28)
    mean, deviation = images.float().mean(), images.float().std(correction=0)
    padded, labels = nn.functional.pad(images, (1, 1, 1, 1)), torch.from_numpy(data.train.labels.astype("int64"))
    model, measure = network(len(data.classes)), nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=DECAY, fused=True)
    steps = epochs * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps, cycle_momentum=False)
    began = time.perf_counter()
    for _ in range(epochs):
        order = torch.randperm(len(images))
        for first in range(0, len(images) - BATCH + 1, BATCH):
            chosen = order[first : first + BATCH]
            optimizer.zero_grad(set_to_none=True)
            x = (_augmented(padded, chosen) - mean) / deviation
            loss = measure(model(x.to(memory_format=torch.channels_last)), labels[chosen])
            loss.backward()
            optimizer.step()
            schedule.step()
            float(loss.detach())  # what a training loop logs
    test = (torch.from_numpy(data.test.images.copy()).reshape(-1, 1, 28, 28).float() - mean) / deviation
    with torch.inference_mode():
        answers = torch.cat([model(part).argmax(1) for part in test.split(1000)])
    right = (answers.numpy() == data.test.labels).mean()
    return {"seconds": time.perf_counter() - began, "percent": 100 * float(right)}


def _augmented(padded: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Return images [N, 1, 28, 28] of `padded` [all, 30, 30], half of them mirrored, shifted by up to a pixel."""
    import torch

    count, place = len(chosen), torch.arange(28)
    rows = place + torch.randint(3, (count, 1))
    columns = torch.where(torch.rand(count, 1) < 0.5, place, 27 - place) + torch.randint(3, (count, 1))
    return padded[chosen[:, None, None], rows[:, :, None], columns[:, None, :]][:, None].float()


def session(name: str, options: argparse.Namespace, seed: int) -> dict[str, float]:
    """Return what a process of its own found."""
    numbers = [f"--{key}={getattr(options, key)}" for key in ("epochs", "cores")]
    command = [sys.executable, "-m", "benchmarks.fashion", "--contender", name, f"--seed={seed}", *numbers]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object, no table")
    parser.add_argument("--rounds", type=positive, default=3, help="runs of each (%(default)s)")
    parser.add_argument("--epochs", type=positive, default=6, help="of a run (%(default)s)")
    parser.add_argument("--cores", type=positive, default=os.cpu_count(), help="of each (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the first round (%(default)s)")
    parser.add_argument("--contender", choices=CONTENDERS, help="one run of this one alone, as JSON")
    options = parser.parse_args()
    if options.contender:
        train = gradsum if options.contender == "gradsum" else pytorch
        print(json.dumps(train(options.epochs, options.cores, options.seed)))
        return
    found: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    for number in range(options.rounds):
        for name in CONTENDERS:
            found[name].append(session(name, options, options.seed + number))
    if options.json:
        print(json.dumps(found))
        return
    table = Table("contender", "seconds an epoch", "test images right after the run")
    for name, runs in found.items():
        seconds = median(run["seconds"] for run in runs) / options.epochs
        table.add_row(name, f"{seconds:.1f}", ", ".join(f"{run['percent']:.2f} %" for run in runs))
    Console().print(table)


if __name__ == "__main__":
    main()
