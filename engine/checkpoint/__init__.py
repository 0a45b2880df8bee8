"""Checkpoints: one safetensors file with the parameters, the optimizer's state and what is needed to continue.

A parameter is a tensor by its own name ("c1.filter"), the optimizer's state by "optimizer.STATE.NAME"
("optimizer.m.c1.filter"), so `safetensors.numpy.load_file` alone reads everything. The file's metadata holds `gradsum`
("checkpoint"), `format`, `step`, `metadata` (JSON) and `sha256` over step, metadata and tensors.

A checkpoint appears under its name whole or not at all: it is written to a file without a name, forced to disk, and
then given its name. On file systems without such files it is written to a temporary file beside it, and renamed.
"""

from engine.checkpoint.content import Checkpoint, params_sha256
from engine.checkpoint.digests import StateDigest, state_sha256
from engine.checkpoint.folder import (
    CheckpointWarning,
    best,
    has_any,
    hinted,
    kept,
    later_steps,
    load,
    newest,
    prepare,
    remove,
    save,
)
from engine.checkpoint.held import held
from engine.checkpoint.run_state import DataState, RunState

__all__ = [
    "Checkpoint",
    "CheckpointWarning",
    "DataState",
    "RunState",
    "StateDigest",
    "best",
    "has_any",
    "held",
    "hinted",
    "kept",
    "later_steps",
    "load",
    "newest",
    "params_sha256",
    "prepare",
    "remove",
    "save",
    "state_sha256",
]
