"""The layers of a model: small frozen descriptions, one file a kind."""

from engine.layers.activations import Dropout, Gelu, Relu
from engine.layers.base import REGISTRY, Layer, Shape, layer_from
from engine.layers.conv2d import Conv2d
from engine.layers.dense import Dense
from engine.layers.flatten import Flatten
from engine.layers.max_pool2d import MaxPool2d

__all__ = [
    "REGISTRY",
    "Conv2d",
    "Dense",
    "Dropout",
    "Flatten",
    "Gelu",
    "Layer",
    "MaxPool2d",
    "Relu",
    "Shape",
    "layer_from",
]
