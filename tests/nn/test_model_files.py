"""Model files: any content is a model, or one line says which layer, which field and which value is wrong."""

from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import ModelError
from engine.nn.built_in import load_model
from engine.nn.layers import REGISTRY
from engine.nn.loss_options import LOSSES
from tests.support.tools import LONGER

SHAPE, CLASSES = (9, 9, 1), 3
LONGEST = 300  # characters of a message
scalars = st.one_of(
    st.integers(-3, 12),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.booleans(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=90),
    st.dates(),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
FIELDS = ("name", "features", "filters", "kernel", "stride", "padding", "size", "rate")
MORE = ("slope", "bias", "groups", "epsilon", "layers", "shortcut")
kinds = st.sampled_from([*REGISTRY, "Elementwise", "Layer", "Dens"])
layers = st.dictionaries(st.sampled_from([*FIELDS, *MORE]), st.one_of(st.integers(1, 5), values), max_size=3).flatmap(
    lambda fields: st.one_of(kinds, values).map(lambda kind: {"type": kind} | fields)
)
# Layers that fit one another, so that what comes after them is looked at as well.
good = st.sampled_from([{"type": "Conv2d", "filters": 2}, {"type": "MaxPool2d"}, {"type": "Relu"}])
END = [{"type": "Flatten"}, {"type": "Dense", "features": CLASSES}]
listed = st.tuples(st.lists(good, max_size=2), layers | good, st.sampled_from([[], END])).map(
    lambda parts: [*parts[0], parts[1], *parts[2]]
)
files = st.fixed_dictionaries(
    {"layers": listed | values},
    optional={"loss": st.sampled_from(LOSSES) | values, "shape": st.just(list(SHAPE)) | values, "depth": values},
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100 * LONGER)
@given(content=files)
def test_anything_is_a_model_or_one_line(content: dict[str, Any]) -> None:
    path = Path("model.toml")
    path.write_text(tomli_w.dumps(content), encoding="utf-8")
    try:
        model = load_model("model.toml", SHAPE, CLASSES)
        model.layout()
    except ModelError as error:
        said = str(error)
        assert said.isprintable(), "one line"
        assert len(said) < LONGEST
    else:
        assert [type(layer).__name__ for layer in model.layers] == [layer["type"] for layer in content["layers"]]


BAD = [
    ("features", '"8"', "'8'"),
    ("features", "-8", "-8"),
    ("features", "8.0", "8.0"),
    ("features", "true", "True"),
    ("features", "[8]", "[8]"),
    ("features", "{ a = 8 }", "{'a': 8}"),
    ("features", "1979-05-27", "datetime.date(1979, 5, 27)"),
    ("name", "8", "8"),
    ("name", "0", "0"),
    ("name", "false", "False"),
    ("name", "[]", "[]"),
    ("name", '"a.b"', "'a.b'"),
]


@pytest.mark.parametrize(("field", "value", "shown"), BAD)
def test_the_layer_the_field_and_the_value_are_named(field: str, value: str, shown: str) -> None:
    given = {"features": "8", field: value}
    middle = "\n".join(f"{name} = {text}" for name, text in given.items())
    Path("m.toml").write_text(
        f"[[layers]]\ntype = 'Flatten'\n[[layers]]\ntype = 'Dense'\n{middle}\n[[layers]]\ntype = 'Relu'\n"
    )
    with pytest.raises(ModelError) as caught:
        load_model("m.toml", SHAPE, CLASSES)
    said = str(caught.value)
    assert said.startswith("m.toml: layer 2: ")
    assert f"{field} must be" in said
    assert said.endswith(f", got {shown}")


@pytest.mark.parametrize("shape", ["5", "true", "'9x9x1'", "[9, 9]", "[9, 9, 1.0]", "[9, 9, true]", "{ h = 9 }"])
def test_shapes(shape: str) -> None:
    Path("m.toml").write_text(f"shape = {shape}\n[[layers]]\ntype = 'Flatten'\n")
    with pytest.raises(
        ModelError, match=r"^m\.toml: a model's shape is \(H, W, C\), whole numbers from 1 to 65536, got "
    ):
        load_model("m.toml", SHAPE, CLASSES)
