"""Published data sets of IDX files: where they are to be had, and what their labels mean."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass, replace
from pathlib import Path

from engine.errors import DataError

_EMNIST = "https://www.nist.gov/itl/products-and-services/emnist-dataset (gzip.zip)"
_LETTERS = string.ascii_uppercase
# Letters whose two cases look alike share a class in these.
_MERGED = string.digits + _LETTERS + "abdefghnqrt"


@dataclass(frozen=True)
class Family:
    """A published data set of four IDX files. `transposed` images are stored column by column."""

    published: str
    classes: tuple[str, ...]
    transposed: bool = False
    first_label: int = 0
    also_in: tuple[Path, ...] = ()
    prefix: str = ""


def _emnist(split: str, classes: str, first_label: int = 0) -> Family:
    return Family(_EMNIST, tuple(classes), True, first_label, prefix=f"emnist-{split}-")


FAMILIES = {
    "mnist": Family(
        published="http://yann.lecun.com/exdb/mnist, mirrored at https://ossci-datasets.s3.amazonaws.com/mnist/",
        classes=tuple(string.digits),
    ),
    "fashion-mnist": Family(
        published="https://github.com/zalandoresearch/fashion-mnist, or: apt install dataset-fashion-mnist",
        classes=(
            "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
            "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
        ),
        also_in=(Path("/usr/share/datasets/fashion-mnist"),),
    ),
    "emnist-letters": _emnist("letters", string.ascii_lowercase, first_label=1),
    "emnist-balanced": _emnist("balanced", _MERGED),
    "emnist-bymerge": _emnist("bymerge", _MERGED),
    "emnist-byclass": _emnist("byclass", string.digits + _LETTERS + string.ascii_lowercase),
    "emnist-digits": _emnist("digits", string.digits),
    "emnist-mnist": _emnist("mnist", string.digits),
}  # fmt: skip


def described(family: Family, folder: Path, prefix: str) -> Family:
    """Return the family as the mapping file beside its files says, if there is one; DataError if it is damaged.

    Each line has a label and the codes of the characters it stands for: "1 65 97" is A and a.
    """
    path = folder / f"{prefix}mapping.txt"
    if not path.is_file():
        return family
    try:
        lines = [line for line in path.read_text("ascii").splitlines() if line.strip()]
        codes = {int(label): int(line_codes[-1]) for label, *line_codes in map(str.split, lines)}
        first = min(codes)
        characters = tuple(chr(codes[label]) for label in range(first, first + len(codes)))
        if (
            len(codes) < len(lines)
            or len(set(characters)) < len(codes)
            or not re.fullmatch("[!-~]+", "".join(characters))
        ):
            raise ValueError("labels or characters that are not one to one")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, LookupError) as error:
        raise DataError(f"{path}: not a mapping of labels to characters ({error})") from error
    return replace(family, classes=characters, first_label=first)
