"""The operations that a program is made of, and which layer becomes which."""

from engine.compute.program.operations.base import Operation, Site, Step
from engine.compute.program.operations.convolution import Convolution
from engine.compute.program.operations.dense import Dense
from engine.compute.program.operations.elementwise import Dropout, Gelu, Relu
from engine.compute.program.operations.pooling import Pool
from engine.compute.program.operations.reshape import Copy, Flatten
from engine.compute.program.operations.stem import Stem
from engine.compute.program.operations.winograd import Winograd, WinogradPool
from engine.nn import layers

# A module with layers of its own adds their operations here.
OPERATIONS: dict[type[layers.Layer], type[Operation]] = {
    layers.Conv2d: Convolution,
    layers.MaxPool2d: Pool,
    layers.Relu: Relu,
    layers.Gelu: Gelu,
    layers.Dropout: Dropout,
    layers.Flatten: Flatten,
    layers.Dense: Dense,
}

__all__ = ["OPERATIONS", "Copy", "Operation", "Site", "Stem", "Step", "Winograd", "WinogradPool"]
