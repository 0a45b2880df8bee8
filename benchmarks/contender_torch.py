"""One measured session of PyTorch, tuned as a competent user would. Used by `versus_torch`.

The same network, data, batch size and ADAM; channels_last, fused ADAM, gradients set to None. With --ranks 2 and
more this process is one of so many of DistributedDataParallel over gloo, told which by what torchrun would set.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from benchmarks.arguments import positive
from benchmarks.session import options, rates, tell

if TYPE_CHECKING:  # so that --help works without PyTorch
    import torch
    from torch import nn

WARM = 10  # steps before the clock starts


def network(classes: int = 26) -> nn.Module:
    """Return the `letters` network, for so many classes."""
    import torch
    from torch import nn

    layers: list[nn.Module] = []
    for inputs, outputs in ((1, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(inputs, outputs, 3), nn.MaxPool2d(2, ceil_mode=True)]
    layers += [nn.Flatten(), nn.Linear(512, 64), nn.GELU(), nn.Linear(64, 128), nn.GELU(), nn.Linear(128, classes)]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def samples() -> tuple[torch.Tensor, torch.Tensor]:
    """Return normalised images [N, 1, H, W] in channels_last, and labels [N]."""
    import torch

    import engine

    data = engine.load_data("letters").train
    images = torch.from_numpy(data.images.copy()).permute(0, 3, 1, 2).float()
    images = (images - images.mean()) / images.std()
    return images.to(memory_format=torch.channels_last), torch.from_numpy(data.labels.astype("int64"))


def train(batch: int, steps: int, ranks: int, *, compiled: bool) -> dict[str, float]:
    """Return images/s of training steps, over all ranks, and the wall-clock time of the first one."""
    import torch
    from torch import nn

    model, rank = network(), int(os.environ.get("RANK", "0"))
    if ranks > 1:
        model = nn.parallel.DistributedDataParallel(model)
    if compiled:
        model = torch.compile(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    measure = nn.CrossEntropyLoss()
    images, labels = samples()
    share = batch // ranks
    first = began = used = 0.0
    for step in range(WARM + steps):
        if step % (len(labels) // batch) == 0:
            order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(step))
        if step == WARM:
            began, used = time.perf_counter(), time.process_time()
        start = step % (len(labels) // batch) * batch + rank * share
        chosen = order[start : start + share]
        optimizer.zero_grad(set_to_none=True)
        loss = measure(model(images[chosen]), labels[chosen])
        loss.backward()
        optimizer.step()
        float(loss.detach())  # what a training loop logs
        first = first or time.time()
    return rates(batch * steps, time.perf_counter() - began, time.process_time() - used) | {"first_step": first}


def forward(batch: int, steps: int) -> dict[str, float]:
    """Return images/s of evaluation."""
    import torch

    model = network().eval()
    images, _ = samples()
    with torch.inference_mode():
        for step in range(WARM + steps):
            if step == WARM:
                began, used = time.perf_counter(), time.process_time()
            start = step * batch % (len(images) - batch)
            model(images[start : start + batch])
    return rates(batch * steps, time.perf_counter() - began, time.process_time() - used)


def main() -> None:
    """Measure and print."""
    parser = options(__doc__)
    parser.add_argument("--threads", type=positive, default=1)
    parser.add_argument("--ranks", type=positive, default=1)
    parser.add_argument("--compile", action="store_true", help="train a network that torch.compile has compiled")
    a = parser.parse_args()
    import torch

    torch.set_num_threads(a.threads)
    if a.ranks > 1:
        torch.distributed.init_process_group("gloo")
    if a.forward:
        tell(forward, a)
    else:
        tell(lambda batch, steps: train(batch, steps, a.ranks, compiled=a.compile), a)
    if a.ranks > 1:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
