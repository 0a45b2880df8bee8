"""Data sets: what they are, where they come from, and in which order their samples are drawn.

Data of any kind ends up as a `Dataset` of uint8 images [N, H, W, C] and int32 labels [N]; `cache` keeps it on disk
under the digest of its content, which is how coordinator and workers know that they mean the same data.
"""

from engine.data.augment import augment
from engine.data.dataset import Dataset, Normalisation, Split
from engine.data.sampler import Sampler, stream
from engine.data.sources import NAMES, load
from engine.data.sources import load as load_data  # its public name

__all__ = ["NAMES", "Dataset", "Normalisation", "Sampler", "Split", "augment", "load", "load_data", "stream"]
