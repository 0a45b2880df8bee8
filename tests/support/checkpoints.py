"""Checkpoint files with other contents, and a digest that is right."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.numpy import load_file, save_file


def rewrite(path: Path, **changes: str) -> None:
    """Write the file again with other entries in its header."""
    with safe_open(path, framework="numpy") as file:
        header = file.metadata() | changes
    tensors = load_file(path)
    digest = sha256(f"{header['step']}\n{header['metadata']}\n".encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].shape}\n".encode() + tensors[name].tobytes())
    save_file(tensors, path, header | {"sha256": digest.hexdigest()} | changes)


def change_metadata(path: Path, **changes: Any) -> None:
    """Write the file again with other entries in what it says of its run."""
    with safe_open(path, framework="numpy") as file:
        metadata = json.loads(file.metadata()["metadata"])
    rewrite(path, metadata=json.dumps(metadata | changes))
