"""`gradsum predict`: classify images."""

import argparse
import json
import struct
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING

from engine.cli.arguments import add_checkpoint, chosen_checkpoint
from engine.cli.command import Command
from engine.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# What Pillow raises for damaged pictures, and numpy for damaged arrays.
DAMAGED = (OSError, ValueError, SyntaxError, EOFError, TypeError, LookupError, TokenError, struct.error)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_checkpoint(parser)
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="image file")
    parser.add_argument("--invert", action="store_true", help="turn dark on light into light on dark, as in training")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print, for each image, the likeliest class and its probability."""
    import numpy as np

    from engine.network import load_network, probabilities_of

    network = load_network(chosen_checkpoint(arguments))
    names: list[str] = []
    read: list[NDArray[np.uint8]] = []
    for path in arguments.images:
        images = read_images(path, network.model.shape)
        names += [str(path)] if len(images) == 1 else [f"{path}[{number}]" for number in range(len(images))]
        read.append(255 - images if arguments.invert else images)
    outputs = network.logits(np.concatenate(read))[:, : len(network.classes)]
    chances = probabilities_of(outputs, network.model.loss)
    best = outputs.argmax(axis=1)
    answers = [(name, network.classes[k], float(row[k])) for name, k, row in zip(names, best, chances, strict=True)]
    if arguments.json:
        print(json.dumps([dict(zip(("image", "class", "probability"), answer, strict=True)) for answer in answers]))
    else:
        for name, letter, chance in answers:
            print(f"{name}  {letter}  {100 * chance:.1f} %")
    return 0


def read_images(path: Path, shape: tuple[int, int, int]) -> "NDArray[np.uint8]":
    """Return the image, or images, in a file as uint8 [N, *shape]; DataError if there are none, or of other shape."""
    from PIL import Image, UnidentifiedImageError

    try:
        images = _read_array(path, shape) if path.suffix == ".npy" else _read_picture(path, shape)
    except FileNotFoundError:
        raise DataError(f"image {path} does not exist") from None
    except UnidentifiedImageError:
        raise DataError(f"{path} is not a supported image (PNG, PGM, .npy)") from None
    except (*DAMAGED, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read as an image: {error}") from None
    if images.shape[1:] != shape or not len(images):
        has, wanted = ("x".join(map(str, s)) for s in (images.shape[1:], shape))
        what = f"is {has}" if len(images) else "holds no image"
        raise DataError(f"{path} {what}; the network takes images of {wanted} (H x W x C)")
    return images


def _read_array(path: Path, shape: tuple[int, int, int]) -> "NDArray[np.uint8]":
    """Read .npy through a memory map, so that a header that promises too much is found out before memory is."""
    import numpy as np

    mapped = np.lib.format.open_memmap(path, mode="r")
    if mapped.dtype != np.uint8 or mapped.ndim not in (2, 3, 4):
        raise ValueError(f"it holds {mapped.dtype} {list(mapped.shape)}, not uint8 [H, W], [N, H, W] or [N, H, W, C]")
    array: NDArray[np.uint8] = np.array(mapped)
    if array.ndim == 2 or array.shape == shape:
        array = array[None]
    return array if array.ndim == 4 else array[..., None]


def _read_picture(path: Path, shape: tuple[int, int, int]) -> "NDArray[np.uint8]":
    """Read a picture, turned to as many channels as `shape` has where it can be; pixels only if the size is right."""
    import numpy as np
    from PIL import Image

    with Image.open(path) as image:
        channels = 1 if shape[2] == 1 else 3
        if (image.height, image.width) != shape[:2]:
            # Nobody will look at the pixels.
            return np.broadcast_to(np.uint8(0), (1, image.height, image.width, channels))
        if image.mode.startswith("I"):  # 16 bits a pixel, which Pillow would cut off at 255
            grey = (np.asarray(image).clip(0, 65535) / 257).round().astype(np.uint8)
            return np.repeat(grey[None, ..., None], channels, axis=3)
        pixels: NDArray[np.uint8] = np.asarray(image.convert("L" if channels == 1 else "RGB"))
        return pixels.reshape(1, *pixels.shape[:2], channels)


COMMAND = Command(
    "predict",
    add_options,
    run,
    examples=(
        "gradsum predict runs/digits digit.png",
        "gradsum predict runs/digits scan.png --invert",
    ),
    description="Images are PNG, PGM or another common format, or .npy with uint8 [H, W], [N, H, W] or [N, H, W, C], "
    "of the size the network was trained on.",
)
