"""`gradsum predict`: say what is on images."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to `commands`."""
    parser = commands.add_parser(
        "predict",
        help="say what is on images",
        description="Say what is on images: PNG, PGM or another picture format, or .npy with uint8 [H, W], [N, H, W] "
        "or [N, H, W, C]. They must have the size the network was trained on.",
    )
    parser.add_argument("checkpoint", type=Path, help="a checkpoint, or a folder (its newest)")
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="an image file")
    parser.add_argument("--invert", action="store_true", help="dark on light becomes light on dark, as in training")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Print, for each image, the likeliest class and its probability."""
    from scipy.special import softmax

    from engine.network import load

    network = load(arguments.checkpoint)
    answers: list[tuple[str, str, float]] = []
    for path in arguments.images:
        images = read_images(path, channels=network.model.shape[2])
        chances = softmax(network.logits(255 - images if arguments.invert else images), axis=1)
        for number, row in enumerate(chances):
            name = str(path) if len(chances) == 1 else f"{path}[{number}]"
            best = int(row.argmax())
            answers.append((name, network.classes[best], float(row[best])))
    if arguments.json:
        print(json.dumps([dict(zip(("image", "class", "probability"), answer, strict=True)) for answer in answers]))
    else:
        for name, letter, chance in answers:
            print(f"{name}  {letter}  {100 * chance:.1f} %")
    return 0


def read_images(path: Path, channels: int) -> "NDArray[np.uint8]":
    """Return the image, or images, in a file as uint8 [N, H, W, C]; DataError if there are none."""
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        if path.suffix == ".npy":
            array: NDArray[np.uint8] = np.load(path, allow_pickle=False)
            if array.dtype != np.uint8 or array.ndim not in (2, 3, 4):
                raise DataError(f"{path} holds {array.dtype} {list(array.shape)}, wanted uint8 [N, H, W] or [H, W]")
            array = array[None] if array.ndim == 2 else array
            return array if array.ndim == 4 else array[..., None]
        with Image.open(path) as image:
            pixels: NDArray[np.uint8] = np.asarray(image.convert("L" if channels == 1 else "RGB"))
            return pixels.reshape(1, *pixels.shape[:2], -1)
    except FileNotFoundError:
        raise DataError(f"there is no image {path}") from None
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read as an image: {error}") from None
