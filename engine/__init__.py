"""The public names of gradsum, which `import gradsum` gives as well.

Names are imported when they are first used: a process must be able to set its number of BLAS threads before numpy
is loaded, and the command line must start fast.
"""

from importlib import import_module
from logging import NullHandler, getLogger
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.data import Dataset, Split
    from engine.data import load as load_data
    from engine.errors import GradsumError
    from engine.network import Network, load, load_network
    from engine.nn.layers import Conv2d, Dense, Dropout, Flatten, Gelu, MaxPool2d, Relu
    from engine.nn.model import Model
    from engine.nn.optimizers import SGD, Adam, Momentum
    from engine.settings import Settings
    from engine.sweeps.report import SweepReporter, SweepResult
    from engine.sweeps.sweep import sweep
    from engine.training.reporter import Reporter, Result
    from engine.training.train import train

__version__ = "0.1.0"
__all__ = [
    "SGD",
    "Adam",
    "Conv2d",
    "Dataset",
    "Dense",
    "Dropout",
    "Flatten",
    "Gelu",
    "GradsumError",
    "MaxPool2d",
    "Model",
    "Momentum",
    "Network",
    "Relu",
    "Reporter",
    "Result",
    "Settings",
    "Split",
    "SweepReporter",
    "SweepResult",
    "load",
    "load_data",
    "load_network",
    "sweep",
    "train",
]

_NAMES_IN = {
    "engine.data": ("Dataset", "Split"),
    "engine.errors": ("GradsumError",),
    "engine.nn.layers": ("Conv2d", "Dense", "Dropout", "Flatten", "Gelu", "MaxPool2d", "Relu"),
    "engine.nn.model": ("Model",),
    "engine.network": ("Network", "load", "load_network"),
    "engine.nn.optimizers": ("SGD", "Adam", "Momentum"),
    "engine.training.reporter": ("Reporter", "Result"),
    "engine.settings": ("Settings",),
    "engine.sweeps.report": ("SweepReporter", "SweepResult"),
    "engine.sweeps.sweep": ("sweep",),
    "engine.training.train": ("train",),
}
_HOME = {name: (module, name) for module, names in _NAMES_IN.items() for name in names} | {
    "load_data": ("engine.data", "load"),
}

getLogger("gradsum").addHandler(NullHandler())  # quiet unless the program that imports us wants to hear

if not TYPE_CHECKING:  # type checkers would take it that every name exists

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module 'gradsum' has no attribute {name!r}")
        module, attribute = _HOME[name]
        return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
