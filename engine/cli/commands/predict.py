"""`gradsum predict`: say what is on images."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to `commands`."""
    parser = commands.add_parser(
        "predict",
        help="say what is on images",
        description="Say what is on images: PNG, PGM or another picture format, or .npy with uint8 [H, W], [N, H, W] "
        "or [N, H, W, C]. They must have the size the network was trained on; if "
        "pictures were scaled for training, they are, too.",
    )
    parser.add_argument("checkpoint", type=Path, help="a checkpoint, or a folder (its newest)")
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="an image file")
    parser.add_argument("--invert", action="store_true", help="dark on light becomes light on dark, as in training")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Print, for each image, the likeliest class and its probability."""
    import numpy as np

    from engine.checkpoint import load
    from engine.data.reading import Manner, flat, read_images
    from engine.network import network_from

    checkpoint = load(arguments.checkpoint)
    network = network_from(checkpoint, arguments.checkpoint)
    manner = Manner.stored(checkpoint.metadata["data"], network.normalisation)
    manner = manner.inverted() if arguments.invert else manner
    names: list[str] = []
    read: list[NDArray[np.uint8]] = []
    for path in arguments.images:
        images = read_images(path, network.model.shape, manner)
        if flat(images).any():
            print(f"gradsum: {path} shows one flat colour", file=sys.stderr)
        names += [str(path)] if len(images) == 1 else [f"{path}[{number}]" for number in range(len(images))]
        read.append(255 - images if arguments.invert else images)
    outputs = network.logits(np.concatenate(read))[:, : len(network.classes)]
    chances = probabilities(outputs, network.model.loss)
    best = outputs.argmax(axis=1)
    answers = [(name, network.classes[k], float(row[k])) for name, k, row in zip(names, best, chances, strict=True)]
    if arguments.json:
        print(json.dumps([dict(zip(("image", "class", "probability"), answer, strict=True)) for answer in answers]))
    else:
        for name, letter, chance in answers:
            print(f"{name}  {letter}  {100 * chance:.1f} %")
    return 0


def probabilities(outputs: "NDArray[np.float32]", loss: str) -> "NDArray[np.float64]":
    """Return the softmax of outputs [N, classes], float64; after training on squared error they are it themselves."""
    import numpy as np

    from engine.nn.model import CROSS_ENTROPY

    wide = outputs.astype(np.float64)
    if loss != CROSS_ENTROPY:
        return np.clip(wide, 0, 1)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    chances: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return chances
