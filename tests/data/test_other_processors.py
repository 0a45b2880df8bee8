"""Data, initial parameters and random numbers do not depend on which of its instructions numpy finds."""

import hashlib
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from engine.data import Normalisation, Sampler, augment, stream
from engine.data.letters import generate
from engine.kernels import exact
from engine.nn.built_in import lenet
from tests.support.repository import ROOT


def digest() -> str:
    """Return a digest of all that is computed before the first step, and of a few activations."""
    images, labels = generate(500, 3)
    features = np.random.RandomState(1).standard_normal((999, 7)).astype(np.float32)
    layout = lenet().layout()
    parameters = layout.zeros()
    layout.initialise(parameters, 7)
    moved = images[:16].copy()
    augment(moved, stream(1, 2, 3))
    order = Sampler(2000, 64, 3).indices(5)
    y, phi = np.empty_like(features), np.empty_like(features)
    exact.gelu(features, y, phi)
    normalised = [Normalisation.of(values).apply(values) for values in (images, features)]
    found = hashlib.sha256()
    for array in (images, labels, *normalised, parameters, moved, order, y, phi):
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def dispatched() -> set[str]:
    """Return the sets of instructions for which this numpy has code of its own, beside what every processor has."""
    functions = np.lib.introspect.opt_func_info().values()
    names = " ".join(chosen["available"] for types in functions for chosen in types.values())
    return set(re.sub(r"baseline\([^)]*\)", "", names).split())


def test_without_the_instructions_of_newer_processors() -> None:
    names = dispatched()
    if not names:
        pytest.skip("this numpy has one kind of code only")
    done = subprocess.run(
        [sys.executable, "-c", "from tests.data.test_other_processors import digest; print(digest())"],
        env=os.environ | {"PYTHONPATH": str(ROOT), "NPY_DISABLE_CPU_FEATURES": " ".join(sorted(names))},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == digest()
