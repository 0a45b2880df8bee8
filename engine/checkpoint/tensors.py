"""The tensors of any safetensors file, for networks that begin with the parameters of another, or are imported."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from engine.errors import CheckpointError

FLOATS = ("F16", "F32", "F64")


def is_ours(path: Path) -> bool:
    """Tell whether `path` is a folder, or says that it is our checkpoint; CheckpointError if it cannot be read."""
    return path.is_dir() or header_of(path).get("gradsum") == "checkpoint"


def tensors_of(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return all arrays of floats in the file, as float32; CheckpointError if it cannot be read."""
    try:
        with safe_open(path, framework="numpy") as file:
            names = [name for name in file.keys() if file.get_slice(name).get_dtype() in FLOATS]  # noqa: SIM118
            with np.errstate(over="ignore"):  # what a float32 does not hold is infinite
                return {name: np.asarray(file.get_tensor(name), np.float32) for name in names}
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error


def kinds_of(path: Path) -> dict[str, str]:
    """Return the type of every array in the file, such as "F32", by name; CheckpointError if it cannot be read."""
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error


def header_of(path: Path) -> dict[str, str]:
    """Return the file's metadata; CheckpointError if it cannot be read."""
    if not path.exists():
        raise CheckpointError(f"no such file or folder: {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(f"{path} is not a safetensors file, or damaged ({error})")
