"""Data sets: what they are, where they come from, and in which order their samples are drawn.

Data of any kind ends up as a `Dataset`: uint8 images [N, H, W, C] or float32 features [N, D], each sample with an int32
label or with float32 values to be predicted. `cache` keeps it on disk under the digest of its content, which is how
coordinator and workers know that they mean the same data.
"""

from engine.data.augment import augment
from engine.data.dataset import Dataset
from engine.data.measure import Measure
from engine.data.normalisation import Inputs, Normalisation
from engine.data.sampler import Sampler, stream
from engine.data.sources import NAMES, load
from engine.data.sources import load as load_data  # its public name
from engine.data.split import Split, Targets
from engine.data.usage import Usage

__all__ = [
    "NAMES",
    "Dataset",
    "Inputs",
    "Measure",
    "Normalisation",
    "Sampler",
    "Split",
    "Targets",
    "Usage",
    "augment",
    "load",
    "load_data",
    "stream",
]
