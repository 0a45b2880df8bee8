"""The layers of a model: small frozen descriptions, one file a kind."""

from engine.nn.layers.activations import Dropout, Elementwise, Gelu, LeakyRelu, Relu, Sigmoid, Silu, Softplus, Tanh
from engine.nn.layers.avg_pool2d import AvgPool2d, GlobalAvgPool
from engine.nn.layers.base import REGISTRY, Layer, Layers, Shape, layer_from, layers_from
from engine.nn.layers.conv2d import Conv2d
from engine.nn.layers.dense import Dense
from engine.nn.layers.flatten import Flatten
from engine.nn.layers.max_pool2d import MaxPool2d
from engine.nn.layers.norms import GroupNorm, LayerNorm, Norm
from engine.nn.layers.residual import Residual

__all__ = [
    "REGISTRY",
    "AvgPool2d",
    "Conv2d",
    "Dense",
    "Dropout",
    "Elementwise",
    "Flatten",
    "Gelu",
    "GlobalAvgPool",
    "GroupNorm",
    "Layer",
    "LayerNorm",
    "Layers",
    "LeakyRelu",
    "MaxPool2d",
    "Norm",
    "Relu",
    "Residual",
    "Shape",
    "Sigmoid",
    "Silu",
    "Softplus",
    "Tanh",
    "layer_from",
    "layers_from",
]
