"""Digests of what a run is at some of its steps: a checkpoint has a list of them, by which a run can be verified."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_DIGESTS = 32  # digests of a checkpoint
MIN_INTERVAL = 64  # steps apart: for the letters network one takes half as long as a step
OPTIMIZER = "optimizer."  # before the name of a tensor that is part of the optimizer's state
Arrays = Mapping[str, NDArray[np.float32]]


class StateDigest(NamedTuple):
    """What a run was after `step`: `sha256` of parameters and optimizer's state, mean `loss` of the step's batch."""

    step: int
    sha256: str
    loss: float


def interval(last: int) -> int:
    """Return how many steps apart the digests of a checkpoint of step `last` are: MIN_INTERVAL times a power of two.

    There are at most MAX_DIGESTS, so every second one goes each time the number of steps has doubled.
    """
    return MIN_INTERVAL << (max(0, last - 1) // (MIN_INTERVAL * MAX_DIGESTS)).bit_length()


def thinned(digests: Iterable[StateDigest], last: int) -> tuple[StateDigest, ...]:
    """Return those that a checkpoint of step `last` keeps."""
    return tuple(digest for digest in digests if digest.step % interval(last) == 0)


def tensors_of(parameters: Arrays, optimizer: Mapping[str, Arrays]) -> dict[str, NDArray[np.float32]]:
    """Return parameters and optimizer's state by the names that they have in a checkpoint."""
    tensors = dict(parameters)
    for state, values in optimizer.items():
        tensors |= {f"{OPTIMIZER}{state}.{name}": array for name, array in values.items()}
    return tensors


def state_sha256(parameters: Arrays, optimizer: Mapping[str, Arrays]) -> str:
    """Return the hex digest of all tensors of a checkpoint, sorted by name, each as C-order little-endian float32."""
    digest = hashlib.sha256()
    for _, array in sorted(tensors_of(parameters, optimizer).items()):
        digest.update(np.ascontiguousarray(array, "<f4").data)
    return digest.hexdigest()


def digests_from(plain: Iterable[object]) -> tuple[StateDigest, ...]:
    """Return the digests in plain data, lists of step, sha256 and loss; ValueError for anything else."""
    return tuple(_digest_from(entry) for entry in plain)


def _digest_from(entry: object) -> StateDigest:
    match entry:
        case [int() as step, str() as sha256, float() | int() as loss] if re.fullmatch(r"[0-9a-f]{64}", sha256):
            return StateDigest(step, sha256, float(loss))
    raise ValueError(f"{entry!r:.60} is not a step with its digest and loss")
