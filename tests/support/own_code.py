"""Modules as people write them: the example of the documentation, wrong ones, and forgetting what they registered."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.nn.layers import REGISTRY
from engine.nn.own.imports import IMPORTED
from engine.nn.own.layer import OwnLayer
from engine.nn.own.losses import OWN_LOSSES
from engine.nn.own.metrics import OWN_METRICS
from tests.support.repository import ROOT

PAGE = (ROOT / "docs" / "own-code.md").read_text(encoding="utf-8")
[EXAMPLE] = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
[MODEL] = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)

LAYER = """
import numpy as np
import gradsum


class Own(gradsum.OwnLayer):
    def forward(self, x):
        return x * x, x

    def backward(self, dy, x):
        return 2 * dy * x
"""
OWN_MODEL = """
[[layers]]
type = "Flatten"
[[layers]]
type = "Own"
[[layers]]
type = "Dense"
features = 3
"""


@contextmanager
def forgotten() -> Iterator[None]:
    """Let what is imported and registered within the block be as before after it."""
    kept: tuple[dict[Any, Any], ...] = (REGISTRY, OWN_LOSSES, OWN_METRICS, IMPORTED, sys.modules)
    before, path = [dict(some) for some in kept], list(sys.path)
    try:
        yield
    finally:
        for some, was in zip(kept, before, strict=True):
            for name in [name for name in some if name not in was and _is_own(some, name)]:
                del some[name]
        sys.path[:] = path


def _is_own(some: object, name: Any) -> bool:
    """Tell whether something new is to be forgotten: of modules those in the current folder."""
    if some is not sys.modules:
        return True
    file = getattr(sys.modules[name], "__file__", None)
    return isinstance(file, str) and Path(file).is_relative_to(Path.cwd())


def write(name: str, text: str) -> Path:
    """Write a file into the current folder, and return its full path."""
    path = Path(name).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def layer(name: str, **methods: Any) -> OwnLayer:
    """Return a layer of a new class with these methods and settings."""
    made: OwnLayer = type(name, (OwnLayer,), methods)()
    return made
