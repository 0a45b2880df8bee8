"""Class weights from what was asked for."""

import numpy as np
import pytest

import engine
from engine.errors import SettingsError
from engine.training.class_weights import class_weights

LABELS = [0, 0, 0, 1, 3, 3]


def data(labels: list[int] = LABELS, classes: tuple[str, ...] = ("a", "b", "c", "d")) -> engine.Dataset:
    split = engine.Split(np.zeros((len(labels), 2, 2, 1), np.uint8), np.array(labels, np.int32))
    return engine.Dataset("made up", classes, split, split)


def test_balanced_weights_have_the_mean_1_and_make_classes_count_alike() -> None:
    weights = class_weights("balanced", data(), 5)
    assert weights == (6 / 9, 2.0, 1.0, 1.0, 1.0), "a class without samples, and an output without a class, count 1"
    assert np.mean([weights[label] for label in LABELS]) == pytest.approx(1)


def test_numbers() -> None:
    assert class_weights("1, 2,0,0.5", data(), 4) == (1.0, 2.0, 0.0, 0.5)
    assert class_weights(None, data(), 4) == ()


WRONG = "", "balance", "1,2,3", "1,2,3,4,5", "1,2,3,-1", "1,2,3,nan", "1,2,3,inf", "0,0,0,0", "1,2,3,2e6"


@pytest.mark.parametrize("text", WRONG)
def test_what_they_cannot_be(text: str) -> None:
    with pytest.raises(SettingsError, match=r"class-weights must be balanced, or 4 numbers from 0 to 1,000,000, .*got"):
        class_weights(text, data(), 4)


def test_values_have_no_classes() -> None:
    split = engine.Split(np.zeros((3, 2), np.float32), np.array([[1.0], [2], [3]], np.float32))
    with pytest.raises(SettingsError, match="class-weights are for classes"):
        class_weights("balanced", engine.Dataset("values", (), split, split), 1)
