"""What a validation says of each class, as rows of the records."""

from collections.abc import Sequence

import numpy as np

from engine.compute.tally import Tally, scores_of
from engine.records import ClassRow, ConfusionRow


def answer_rows(step: int, tally: Tally, classes: Sequence[str]) -> tuple[list[ClassRow], list[ConfusionRow]]:
    """Return the rows of `classes` and `confusion`; an output beyond the classes has one if it was an answer."""
    scores = [score for score in scores_of(tally) if score.number < len(classes) or score.answers]
    rows = [
        ClassRow(
            step,
            score.number,
            classes[score.number] if score.number < len(classes) else "",
            score.samples,
            score.answers,
            score.correct,
            score.recall,
            score.precision,
            score.f1,
        )
        for score in scores
    ]
    matrix = tally.confusion
    places = [(int(label), int(answer)) for label, answer in np.argwhere(matrix)]
    return rows, [ConfusionRow(step, label, answer, int(matrix[label, answer])) for label, answer in places]
