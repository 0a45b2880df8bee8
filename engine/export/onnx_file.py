"""An ONNX file: the graph with its inputs, outputs and metadata, checked by onnx, and by onnxruntime if it is there."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from engine.errors import GradsumError, ModelError
from engine.export.files import Exported, write
from engine.export.onnx_graph import OPSET, Graph, build
from engine.export.trained import Trained, facts

IR_VERSION = 9  # the one that came with OPSET
MOST_BYTES = 1 << 31  # of a protobuf message
ROOM = 1 << 20  # for what is in the file besides parameters
SAMPLES = 64  # that are compared
CLOSE = 1e-4  # the largest difference of logits, as a share of the largest logit


def save(network: Trained, path: Path) -> Exported:
    """Write `network` to `path`; say how far onnxruntime's logits for random samples are from ours, if it is there.

    Raises ModelError for what ONNX cannot hold, StorageError if the file cannot be written, and GradsumError, before
    anything is written, if the logits differ.
    """
    content = pack(network)
    compared = compare(network, content)
    return replace(compared, files=write({path: content}).files)


def pack(network: Trained) -> bytes:
    """Return the whole file; ModelError for a layer that is not built in, or more parameters than a file can hold."""
    if 4 * network.model.layout().size > MOST_BYTES - ROOM:
        raise ModelError("the network has more than 2 GB of parameters, the limit of an ONNX file; use --to torch")
    model = _proto(network, build(network))
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _proto(network: Trained, graph: Graph) -> Any:
    shape, outputs = network.model.shape, network.model.classes
    name, kind = ("images", TensorProto.UINT8) if len(shape) == 3 else ("features", TensorProto.FLOAT)
    said, of_said, count = ("probabilities", TensorProto.FLOAT, len(network.classes))
    if network.values is not None:
        said, of_said, count = "values", TensorProto.DOUBLE, outputs
    given = [helper.make_tensor_value_info(name, kind, ["N", *shape])]
    answers = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", outputs]),
        helper.make_tensor_value_info(said, of_said, ["N", count]),
    ]
    whole = helper.make_graph(graph.nodes, "gradsum", given, answers, graph.constants)
    opset = helper.make_opsetid("", OPSET)
    metadata = facts(network)
    producer, _, release = metadata.pop("producer").partition(" ")
    model = helper.make_model(
        whole, opset_imports=[opset], ir_version=IR_VERSION, producer_name=producer, producer_version=release
    )
    helper.set_model_props(model, metadata)
    return model


def compare(network: Trained, content: bytes) -> Exported:
    """Return how far onnxruntime's logits are from ours, nothing without onnxruntime; GradsumError if it is too far."""
    # From 1.32 on it sends what it is used for to its makers, and leaves files in the home and in $TMPDIR for that.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime  # noqa: PLC0415  optional
    except ImportError:
        return Exported(())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    samples = _samples(network)
    [theirs] = session.run(["logits"], {session.get_inputs()[0].name: samples})
    ours = network.logits(samples)
    difference, scale = float(np.abs(theirs - ours).max()), float(np.abs(ours).max())
    if not difference <= CLOSE * scale:
        raise GradsumError(
            f"onnxruntime's logits differ by up to {difference:.2g} from ours, which go up to {scale:.3g}: more than "
            f"{CLOSE:g} of these, so nothing was written"
        )
    same = int((theirs.argmax(axis=1) == ours.argmax(axis=1)).sum()) if network.values is None else None
    return Exported((), difference, scale, same, SAMPLES)


def _samples(network: Trained) -> NDArray[Any]:
    """Return images of random bytes, or features as in the training set: normal, of its means and deviations."""
    rng = np.random.default_rng(0)
    if len(network.model.shape) == 3:
        return rng.integers(0, 256, (SAMPLES, *network.model.shape), np.uint8)
    normal = rng.standard_normal((SAMPLES, *network.model.shape))
    return (normal * network.normalisation.deviation + network.normalisation.mean).astype(np.float32)
