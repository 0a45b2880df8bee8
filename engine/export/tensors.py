"""Safetensors files: the parameters by our names, or by PyTorch's with a module file that loads them."""

from pathlib import Path

from safetensors.numpy import save as packed

from engine.errors import UsageError
from engine.export.files import Exported, write
from engine.export.torch_module import source
from engine.export.torch_names import torch_name
from engine.export.trained import Trained, arrays, facts

TENSORS, MODULE = ".safetensors", ".py"


def save_safetensors(network: Trained, path: Path) -> Exported:
    """Write the parameters by their own names; StorageError if the file cannot be written."""
    return write({path: packed(arrays(network), facts(network))})


def save_torch(network: Trained, path: Path) -> Exported:
    """Write the parameters by PyTorch's names, and beside them, first named in the result, a module that loads them.

    `path` names one of the two files. Raises ModelError for a layer that is not built in, UsageError for a name that
    ends otherwise, StorageError if a file cannot be written.
    """
    if path.suffix not in (TENSORS, MODULE):
        raise UsageError(f"{path} must end in {MODULE} or {TENSORS}: a module and its parameters are written")
    text = source(network).encode()
    parameters = {torch_name(name): array for name, array in arrays(network).items()}
    tensors = packed(parameters, facts(network) | {"format": "pt"})
    done = write({path.with_suffix(TENSORS): tensors, path.with_suffix(MODULE): text})
    return Exported(done.files[::-1])
