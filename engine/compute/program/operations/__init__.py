"""The operations that a program is made of, and which layer becomes which."""

from engine.compute.program.operations.activations import LeakyReluOp, SigmoidOp, SiluOp, SoftplusOp, TanhOp
from engine.compute.program.operations.base import Operation, Site, Step
from engine.compute.program.operations.convolution import Convolution
from engine.compute.program.operations.dense import DenseOp
from engine.compute.program.operations.elementwise import DropoutOp, GeluOp, ReluOp
from engine.compute.program.operations.groups import Groups
from engine.compute.program.operations.norms import NormOp
from engine.compute.program.operations.own import OwnOp
from engine.compute.program.operations.pooling import AveragePool, GlobalAverage, MaxPool
from engine.compute.program.operations.reshape import Copy, FlattenOp
from engine.compute.program.operations.residual import ResidualOp
from engine.compute.program.operations.stem import Stem
from engine.compute.program.operations.taps import ConvolutionByTaps
from engine.compute.program.operations.winograd import Winograd, WinogradPool
from engine.compute.program.operations.winograd_blocks import WinogradBlocks
from engine.nn import layers
from engine.nn.own.layer import OwnLayer

OPERATIONS: dict[type[layers.Layer], type[Operation]] = {
    layers.Conv2d: Convolution,
    layers.MaxPool2d: MaxPool,
    layers.Relu: ReluOp,
    layers.Gelu: GeluOp,
    layers.Dropout: DropoutOp,
    layers.AvgPool2d: AveragePool,
    layers.GlobalAvgPool: GlobalAverage,
    layers.Norm: NormOp,
    layers.Residual: ResidualOp,
    layers.Tanh: TanhOp,
    layers.Sigmoid: SigmoidOp,
    layers.Silu: SiluOp,
    layers.Softplus: SoftplusOp,
    layers.LeakyRelu: LeakyReluOp,
    layers.Flatten: FlattenOp,
    layers.Dense: DenseOp,
    OwnLayer: OwnOp,
}

__all__ = [
    "OPERATIONS",
    "ConvolutionByTaps",
    "Copy",
    "Groups",
    "Operation",
    "Site",
    "Stem",
    "Step",
    "Winograd",
    "WinogradBlocks",
    "WinogradPool",
]
