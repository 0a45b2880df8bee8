"""The public names of gradsum, which `import gradsum` gives as well.

Names are imported when they are first used: a process must be able to set its number of BLAS threads before numpy
is loaded, and the command line must start fast.
"""

from importlib import import_module
from importlib.util import find_spec
from logging import NullHandler, getLogger
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names for type checkers, to whom "X as X" says that X is public
    from engine.data import Dataset as Dataset
    from engine.data import Split as Split
    from engine.data import load_data as load_data
    from engine.errors import GradsumError as GradsumError
    from engine.estimators import GradsumClassifier as GradsumClassifier
    from engine.estimators import GradsumRegressor as GradsumRegressor
    from engine.network import Network as Network
    from engine.network import load as load
    from engine.network import load_network as load_network
    from engine.nn.layers import AvgPool2d as AvgPool2d
    from engine.nn.layers import Conv2d as Conv2d
    from engine.nn.layers import Dense as Dense
    from engine.nn.layers import Dropout as Dropout
    from engine.nn.layers import Flatten as Flatten
    from engine.nn.layers import Gelu as Gelu
    from engine.nn.layers import GlobalAvgPool as GlobalAvgPool
    from engine.nn.layers import GroupNorm as GroupNorm
    from engine.nn.layers import LayerNorm as LayerNorm
    from engine.nn.layers import LeakyRelu as LeakyRelu
    from engine.nn.layers import MaxPool2d as MaxPool2d
    from engine.nn.layers import Relu as Relu
    from engine.nn.layers import Residual as Residual
    from engine.nn.layers import Sigmoid as Sigmoid
    from engine.nn.layers import Silu as Silu
    from engine.nn.layers import Softplus as Softplus
    from engine.nn.layers import Tanh as Tanh
    from engine.nn.model import Model as Model
    from engine.nn.optimizers import SGD as SGD
    from engine.nn.optimizers import Adam as Adam
    from engine.nn.optimizers import AdamW as AdamW
    from engine.nn.optimizers import Momentum as Momentum
    from engine.nn.optimizers import Nesterov as Nesterov
    from engine.nn.optimizers import RMSprop as RMSprop
    from engine.nn.own.layer import OwnLayer as OwnLayer
    from engine.nn.own.losses import own_loss as own_loss
    from engine.nn.own.metrics import own_metric as own_metric
    from engine.nn.parameters import Spec as Spec
    from engine.settings import Settings as Settings
    from engine.sweeps.report import SweepReporter as SweepReporter
    from engine.sweeps.report import SweepResult as SweepResult
    from engine.sweeps.sweep import sweep as sweep
    from engine.training.lr_find import LrFinding as LrFinding
    from engine.training.lr_find import lr_find as lr_find
    from engine.training.reporter import Reporter as Reporter
    from engine.training.reporter import Result as Result
    from engine.training.train import train as train
    from engine.training.verify import Verdict as Verdict
    from engine.training.verify import verify as verify

__version__ = "0.1.0"

# The one table of public names: `__all__` and what is imported on first use follow from it.
_NAMES_IN = {
    "engine.data": ("Dataset", "Split", "load_data"),
    "engine.errors": ("GradsumError",),
    "engine.estimators": ("GradsumClassifier", "GradsumRegressor"),
    "engine.network": ("Network", "load", "load_network"),
    "engine.nn.layers": (
        "AvgPool2d",
        "Conv2d",
        "Dense",
        "Dropout",
        "Flatten",
        "Gelu",
        "GlobalAvgPool",
        "GroupNorm",
        "LayerNorm",
        "LeakyRelu",
        "MaxPool2d",
        "Relu",
        "Residual",
        "Sigmoid",
        "Silu",
        "Softplus",
        "Tanh",
    ),
    "engine.nn.model": ("Model",),
    "engine.nn.optimizers": ("SGD", "Adam", "AdamW", "Momentum", "Nesterov", "RMSprop"),
    "engine.nn.own.layer": ("OwnLayer",),
    "engine.nn.own.losses": ("own_loss",),
    "engine.nn.own.metrics": ("own_metric",),
    "engine.nn.parameters": ("Spec",),
    "engine.settings": ("Settings",),
    "engine.sweeps.report": ("SweepReporter", "SweepResult"),
    "engine.sweeps.sweep": ("sweep",),
    "engine.training.lr_find": ("LrFinding", "lr_find"),
    "engine.training.reporter": ("Reporter", "Result"),
    "engine.training.train": ("train",),
    "engine.training.verify": ("Verdict", "verify"),
}
_HOME = {name: module for module, names in _NAMES_IN.items() for name in names}

getLogger("gradsum").addHandler(NullHandler())  # silent unless the program that imports gradsum configures logging

if not TYPE_CHECKING:  # type checkers use the imports above; with __getattr__ they would accept any name
    # The estimators need scikit-learn; `from gradsum import *` must work without it.
    _MISSING = () if find_spec("sklearn") else _NAMES_IN["engine.estimators"]
    __all__ = sorted(_HOME.keys() - {*_MISSING})  # noqa: PLE0605 - one table is enough

    def __getattr__(name: str) -> Any:
        if name.startswith("BatchNorm"):
            from engine.nn.layers.base import NO_BATCH_NORM  # noqa: PLC0415 - only where it is wanted

            raise AttributeError(NO_BATCH_NORM.format(name))
        if name not in _HOME:
            raise AttributeError(f"module 'gradsum' has no attribute {name!r}")
        return getattr(import_module(_HOME[name]), name)

    def __dir__() -> list[str]:
        return sorted([*__all__, "__version__"])
