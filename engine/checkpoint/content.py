"""What a checkpoint file holds: tensors, metadata and a digest, made and checked."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors import numpy as safetensors_numpy

from engine.checkpoint.digests import OPTIMIZER, Arrays, tensors_of
from engine.checkpoint.run_state import RunState, run_state_from
from engine.errors import CheckpointError

FORMAT = 1


class UnusableError(CheckpointError):
    """A damaged or foreign file where a checkpoint was looked for; an earlier one can stand in for it."""


@dataclass(frozen=True)
class Checkpoint:
    """What a run is after `step` steps.

    `parameters` by name ("c2.filter") in public shape; `optimizer` holds such a dict for each state ("m", "velocity").
    """

    step: int
    parameters: Arrays
    optimizer: Mapping[str, Arrays] = field(default_factory=dict)
    run: RunState = field(default_factory=RunState)


def params_sha256(parameters: Arrays) -> str:
    """Return the hex digest of the arrays sorted by name, each as C-order little-endian float32 in the public shape."""
    digest = hashlib.sha256()
    for _, array in sorted(parameters.items()):
        digest.update(np.ascontiguousarray(array, "<f4").data)
    return digest.hexdigest()


def pack(checkpoint: Checkpoint) -> bytes:
    """Return the whole file; CheckpointError for tensors or metadata that cannot be in one."""
    tensors, header = _tensors(checkpoint), _header(checkpoint)
    return safetensors_numpy.save(tensors, header | {"sha256": _digest(header, tensors)})


class Owner(NamedTuple):
    """Whose checkpoint a file is: the uuid of its run, and the database with the run's records."""

    run: str | None
    db: str | None


def owner_of(path: Path) -> Owner:
    """Return whose checkpoint `path` is, as far as it says; UnusableError where it cannot be known."""
    metadata = _metadata_of(path)
    said = [metadata.get(name) for name in Owner._fields]
    return Owner(*(text if isinstance(text, str) else None for text in said))


def best_step_of(path: Path) -> int | None:
    """Return the step of the run's best validation until then, as far as `path` says; UnusableError as `owner_of`."""
    best = _metadata_of(path).get("best")
    step = best.get("step") if isinstance(best, dict) else None
    return step if isinstance(step, int) and not isinstance(step, bool) else None


def _metadata_of(path: Path) -> Mapping[str, Any]:
    """Return the metadata of a file without reading its tensors, empty if it is of the wrong type."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = json.loads((file.metadata() or {})["metadata"])
    except (SafetensorError, OSError, ValueError, RecursionError, KeyError) as error:
        raise UnusableError(f"{path} is damaged or not a checkpoint ({error})") from error
    return metadata if isinstance(metadata, dict) else {}


def _tensors(checkpoint: Checkpoint) -> dict[str, NDArray[np.float32]]:
    """Return all arrays by their names in the file, C-order little-endian; CheckpointError for what cannot be one."""
    if odd := [name for name in checkpoint.parameters if name.startswith(OPTIMIZER)]:
        raise CheckpointError(f"a parameter cannot be called {odd[0]!r}: {OPTIMIZER} is for the optimizer's state")
    if odd := [state for state in checkpoint.optimizer if "." in state]:
        raise CheckpointError(f"a state of the optimizer cannot be called {odd[0]!r}: it has a dot")
    for state, values in checkpoint.optimizer.items():
        _check_like(f"state {state!r}", values, checkpoint.parameters)
    arrays = tensors_of(checkpoint.parameters, checkpoint.optimizer)
    for name, array in arrays.items():
        if array.dtype != np.float32:
            raise CheckpointError(f"{name} is {array.dtype}; a checkpoint holds float32")
    return {name: np.asarray(array, "<f4", order="C") for name, array in arrays.items()}


def _header(checkpoint: Checkpoint) -> dict[str, str]:
    """Return the file's metadata without the digest."""
    try:
        text = json.dumps(checkpoint.run.plain())
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"a checkpoint's metadata must be plain data: {error}") from None
    return {"gradsum": "checkpoint", "format": str(FORMAT), "step": str(checkpoint.step), "metadata": text}


def read(path: Path) -> Checkpoint:
    """Read and check one file."""
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint file {path}")
    try:
        path.open("rb").close()  # raises the real reason; safetensors says "no such file" whatever it is
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            _check_marker(path, header)
            if odd := [name for name in file.keys() if file.get_slice(name).get_dtype() != "F32"]:  # noqa: SIM118
                raise UnusableError(f"{path} is damaged: {odd[0]} is not float32")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise CheckpointError(f"checkpoint {path} cannot be read: {error.strerror or error}") from error
    except SafetensorError as error:
        raise UnusableError(f"{path} is not a safetensors file, or damaged or cut short ({error})") from error
    if _digest(header, tensors) != header["sha256"]:
        raise UnusableError(f"{path} is damaged: its contents do not match its sha256")
    return _rebuilt(path, header, tensors)


def _check_marker(path: Path, header: Mapping[str, str]) -> None:
    """Raise CheckpointError unless the file's metadata is that of a checkpoint this version can read."""
    if header.get("gradsum") != "checkpoint":
        raise UnusableError(f"{path} is a safetensors file, but not a checkpoint of gradsum")
    version = header.get("format", "")
    if not re.fullmatch(r"[1-9]\d{0,8}", version):
        raise UnusableError(f"{path} is damaged: format {version!r:.20}")
    if int(version) > FORMAT:
        raise CheckpointError(f"{path} has format {version}, this gradsum reads up to {FORMAT}; update gradsum")
    if not {"step", "metadata", "sha256"} <= header.keys() or not re.fullmatch(r"\d{1,18}", header["step"]):
        raise UnusableError(f"{path} is damaged: step, metadata or sha256 is missing or wrong")


def _rebuilt(path: Path, header: Mapping[str, str], tensors: Arrays) -> Checkpoint:
    """Return the checkpoint in a file whose digest was right."""
    try:
        metadata = json.loads(header["metadata"])
    except (ValueError, RecursionError):
        metadata = None
    run = run_state_from(metadata, str(path))
    parameters: dict[str, NDArray[np.float32]] = {}
    optimizer: dict[str, dict[str, NDArray[np.float32]]] = {}
    for name, array in tensors.items():
        if name.startswith(OPTIMIZER):
            state, _, parameter = name.removeprefix(OPTIMIZER).partition(".")
            optimizer.setdefault(state, {})[parameter] = array
        else:
            parameters[name] = array
    for state, values in optimizer.items():
        _check_like(f"{path}: state {state!r}", values, parameters)
    return Checkpoint(int(header["step"]), parameters, optimizer, run)


def _check_like(what: str, values: Arrays, parameters: Arrays) -> None:
    """Raise CheckpointError unless `values` has the names and shapes of `parameters`."""
    if odd := sorted(values.keys() ^ parameters.keys()):
        raise CheckpointError(f"{what} and the parameters have different names: {', '.join(odd[:3])}")
    for name, array in values.items():
        if array.shape != parameters[name].shape:
            raise CheckpointError(f"{what} has {name} of shape {array.shape}, the parameter {parameters[name].shape}")


def _digest(header: Mapping[str, str], tensors: Arrays) -> str:
    """Return the hex digest over step, metadata, and each tensor's name, shape and bytes, sorted by name."""
    digest = hashlib.sha256(f"{header['step']}\n{header['metadata']}\n".encode())
    for name, array in sorted(tensors.items()):
        digest.update(f"{name} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()
