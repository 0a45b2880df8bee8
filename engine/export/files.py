"""Writes exported files, whole or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import StorageError
from engine.system.files import write_atomically


@dataclass(frozen=True)
class Exported:
    """What was written. `difference` is the largest of any logit from ours over `samples`, None if none were compared.

    `scale` is the largest absolute value among our logits, `same` how many samples got the same class, None where
    values are predicted.
    """

    files: tuple[Path, ...]
    difference: float | None = None
    scale: float | None = None
    same: int | None = None
    samples: int = 0


def write(files: Mapping[Path, bytes]) -> Exported:
    """Write files, each to its path; StorageError for one that cannot be written, which leaves what was there."""
    for path, content in files.items():
        try:
            write_atomically(path, content)
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error.strerror or error}") from None
    return Exported(tuple(files))
