"""What the loss of each class counts: from the setting to numbers."""

import numpy as np

from engine.data import Dataset
from engine.errors import SettingsError
from engine.wire.messages import MAX_ITEMS

BALANCED = "balanced"
HEAVIEST = 1e6  # of the numbers that may be given; losses much larger are not finite in float32


def class_weights(text: str | None, data: Dataset, outputs: int) -> tuple[float, ...]:
    """Return what the loss of each of the model's `outputs` counts, empty where nothing was asked for.

    `balanced` makes all classes count alike: samples / (classes * samples of the class), so that the mean over the
    training samples is 1 (King and Zeng 2001). SettingsError for a text that is neither that nor a number a class.
    """
    if text is None:
        return ()
    if data.train.has_values:
        raise SettingsError("class-weights are for classes; this data has values to be predicted: leave them out")
    if outputs > MAX_ITEMS:  # all weights are one list in the job
        raise SettingsError(f"class-weights are for at most {MAX_ITEMS} classes, the model has {outputs} outputs")
    weights = _balanced(data) if text.strip() == BALANCED else _numbers(text, len(data.classes))
    return (*weights, *[1.0] * (outputs - len(weights)))


def _balanced(data: Dataset) -> list[float]:
    labels = data.train.labels
    counts = np.bincount(labels, minlength=len(data.classes))
    present = int(np.count_nonzero(counts))
    return [len(labels) / (present * int(count)) if count else 1.0 for count in counts]


def _numbers(text: str, classes: int) -> list[float]:
    wrong = SettingsError(
        f"class-weights must be {BALANCED}, or {classes} numbers from 0 to {HEAVIEST:,.0f}, one a class, "
        f"got {text!r:.60}"
    )
    try:
        weights = [float(word) for word in text.split(",")]
    except ValueError:
        raise wrong from None
    if len(weights) != classes or not all(0 <= w <= HEAVIEST for w in weights) or not any(weights):
        raise wrong
    return weights
