"""The layers of a model: small frozen descriptions, one file a kind."""

from engine.nn.layers.activations import Dropout, Gelu, LeakyRelu, Relu, Sigmoid, Silu, Softplus, Tanh
from engine.nn.layers.avg_pool2d import AvgPool2d, GlobalAvgPool
from engine.nn.layers.base import REGISTRY, Layer, Shape, layer_from
from engine.nn.layers.conv2d import Conv2d
from engine.nn.layers.dense import Dense
from engine.nn.layers.flatten import Flatten
from engine.nn.layers.max_pool2d import MaxPool2d

__all__ = [
    "REGISTRY",
    "AvgPool2d",
    "Conv2d",
    "Dense",
    "Dropout",
    "Flatten",
    "Gelu",
    "GlobalAvgPool",
    "Layer",
    "LeakyRelu",
    "MaxPool2d",
    "Relu",
    "Shape",
    "Sigmoid",
    "Silu",
    "Softplus",
    "Tanh",
    "layer_from",
]
