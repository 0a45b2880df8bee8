"""Files in which a trained network leaves for other programs: ONNX, PyTorch, plain safetensors.

Each is made from the model, its parameters and its normalisation, never by running the network; where onnxruntime is
installed, an ONNX file is compared with our own logits before it is written.
"""

from engine.export.files import Exported
from engine.export.trained import Trained

__all__ = ["Exported", "Trained"]
