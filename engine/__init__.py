"""gradsum: data-parallel training of neural networks on CPUs, with the same bits for any number of workers.

    import engine

    result = engine.train("letters", "letters", optimizer=engine.Adam(lr=1e-3), workers=4, epochs=2)
    network = engine.load_network(result.checkpoint)
    network.predict(images)  # uint8 [N, H, W]

Names are imported when they are first used: a process must be able to set its number of BLAS threads before numpy
is loaded, and the command line must start fast.
"""

from importlib import import_module
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

_HOMES = {
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
_HOME_OF = {name: (home, name) for home, names in _HOMES.items() for name in names}
_HOME_OF["load_data"] = ("engine.data", "load")

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


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, attribute = _HOME_OF[name]
    return getattr(import_module(home), attribute)
