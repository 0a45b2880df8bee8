"""A model as nodes of ONNX's operations (opset 20), in the order and layout that ONNX wants: images [N, C, H, W]."""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from engine.export.trained import Trained, arrays, refuse
from engine.nn import layers
from engine.nn.layers import Layer, Layers, Shape
from engine.nn.loss_options import SQUARED_ERROR

OPSET = 20  # the first that has Gelu


class Graph:
    """Nodes and constants that are added one after the other. Values have names: strings."""

    def __init__(self, network: Trained) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._arrays = arrays(network)

    def add(self, operation: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        out = out or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, inputs, [out], name=f"n{len(self.nodes)}", **attributes))
        return out

    def constant(self, array: NDArray[Any], name: str = "") -> str:
        """Add a constant and return its name."""
        name = name or f"k{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def parameters(self, layer: Layer, shape: Shape) -> list[str]:
        """Add the parameters of a layer whose input has `shape`, and return their names."""
        names = [f"{layer.name}.{spec.name}" for spec in layer.parameters(shape)]
        return [self.constant(self._arrays[name], name) for name in names]


def build(network: Trained) -> Graph:
    """Return the graph from samples as `Network.predict` takes them to logits, and probabilities or values.

    Raises ModelError for a layer that is not built in.
    """
    graph = Graph(network)
    x = _normalised(graph, network)
    x = _in_order(graph, network.model.layers, x, network.model.shape)
    logits = graph.add("Identity", x, out="logits")
    if network.values is not None:
        wide = graph.add("Cast", logits, to=TensorProto.DOUBLE)
        scaled = graph.add("Mul", wide, graph.constant(np.array(network.values.deviation)))
        graph.add("Add", scaled, graph.constant(np.array(network.values.mean)), out="values")
        return graph
    if len(network.classes) < network.model.classes:
        bounds = [graph.constant(np.array([number])) for number in (0, len(network.classes), 1)]
        logits = graph.add("Slice", logits, *bounds)
    if network.model.loss != SQUARED_ERROR:
        graph.add("Softmax", logits, axis=1, out="probabilities")
    else:
        ends = [graph.constant(np.array(end, np.float32)) for end in (0, 1)]
        graph.add("Clip", logits, *ends, out="probabilities")
    return graph


def _normalised(graph: Graph, network: Trained) -> str:
    """Add the normalisation, in float64 and rounded once, as in training: it gives the same bits."""
    images = len(network.model.shape) == 3
    x = graph.add("Cast", "images" if images else "features", to=TensorProto.DOUBLE)
    x = graph.add("Sub", x, graph.constant(np.array(network.normalisation.mean), "mean"))
    x = graph.add("Div", x, graph.constant(np.array(network.normalisation.deviation), "deviation"))
    x = graph.add("Cast", x, to=TensorProto.FLOAT)
    return graph.add("Transpose", x, perm=[0, 3, 1, 2]) if images else x


def _in_order(graph: Graph, some: Layers, x: str, shape: Shape) -> str:
    for layer in some:
        if type(layer) not in LAYERS:
            refuse(layer, "ONNX")
        x = LAYERS[type(layer)](graph, layer, x, shape)
        shape = layer.output_shape(shape)
    return x


def _conv2d(graph: Graph, layer: layers.Conv2d, x: str, shape: Shape) -> str:
    (above, below), (left, right) = layer.borders(shape)
    edges = [above, left, below, right]
    parameters = graph.parameters(layer, shape)
    return graph.add("Conv", x, *parameters, kernel_shape=layer.window, strides=layer.steps, pads=edges)


def _dense(graph: Graph, layer: layers.Dense, x: str, shape: Shape) -> str:
    return graph.add("Gemm", x, *graph.parameters(layer, shape), transB=1)


def _max_pool(graph: Graph, layer: layers.MaxPool2d, x: str, shape: Shape) -> str:  # noqa: ARG001
    return graph.add("MaxPool", x, kernel_shape=[layer.size] * 2, strides=[layer.size] * 2, ceil_mode=1)


def _average_pool(graph: Graph, layer: layers.AvgPool2d, x: str, shape: Shape) -> str:
    """Pad by hand what a window lacks: runtimes differ in what ceil_mode makes of a partial window."""
    missing = [-size % layer.size for size in shape[:2]]
    size, edges = [layer.size] * 2, [0, 0, *missing]
    return graph.add("AveragePool", x, kernel_shape=size, strides=size, pads=edges, count_include_pad=0)


def _global_average(graph: Graph, layer: Layer, x: str, shape: Shape) -> str:  # noqa: ARG001
    return graph.add("Flatten", graph.add("GlobalAveragePool", x), axis=1)


def _norm(graph: Graph, layer: layers.Norm, x: str, shape: Shape) -> str:
    """Normalise each group as one channel, then scale and shift: GroupNormalization itself is newer than opset 20."""
    groups, channels = layer.parts(), shape[-1]
    after = (channels, *shape[:-1])
    scale, bias = graph.parameters(layer, shape)
    flat = graph.add("Reshape", x, graph.constant(np.array([0, groups, prod(shape) // groups])))
    ones, zeros = (graph.constant(np.full(groups, value, np.float32)) for value in (1, 0))
    normal = graph.add("InstanceNormalization", flat, ones, zeros, epsilon=layer.epsilon)
    normal = graph.add("Reshape", normal, graph.constant(np.array([0, *after])))
    wide = graph.constant(np.array([channels] + [1] * (len(shape) - 1)))
    scaled = graph.add("Mul", normal, graph.add("Reshape", scale, wide))
    return graph.add("Add", scaled, graph.add("Reshape", bias, wide))


def _residual(graph: Graph, layer: layers.Residual, x: str, shape: Shape) -> str:
    return graph.add("Add", *(_in_order(graph, branch, x, shape) for branch in (layer.layers, layer.shortcut)))


def _plain(operation: str, **attributes: Any) -> "Writer":
    return lambda graph, _layer, x, _shape: graph.add(operation, x, **attributes)


Writer = Callable[[Graph, Any, str, Shape], str]
LAYERS: dict[type[Layer], Writer] = {
    layers.AvgPool2d: _average_pool,
    layers.Conv2d: _conv2d,
    layers.Dense: _dense,
    layers.Dropout: lambda _graph, _layer, x, _shape: x,
    layers.Flatten: _plain("Flatten", axis=1),
    layers.Gelu: _plain("Gelu", approximate="none"),
    layers.GlobalAvgPool: _global_average,
    layers.GroupNorm: _norm,
    layers.LayerNorm: _norm,
    layers.LeakyRelu: lambda graph, layer, x, _: graph.add("LeakyRelu", x, alpha=float(layer.slope)),
    layers.MaxPool2d: _max_pool,
    layers.Relu: _plain("Relu"),
    layers.Residual: _residual,
    layers.Sigmoid: _plain("Sigmoid"),
    layers.Silu: lambda graph, _layer, x, _shape: graph.add("Mul", x, graph.add("Sigmoid", x)),
    layers.Softplus: _plain("Softplus"),
    layers.Tanh: _plain("Tanh"),
}
