"""How answers are spread over classes: whole numbers that are summed along the tree with the loss."""

from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
MAX_TALLIED = 128  # outputs; the counts of more would be larger than gradients
WIRE = np.dtype("<u4")


def size_of(outputs: int) -> int:
    """Return how many counts a tally of so many outputs has."""
    return outputs * (outputs + 1)


@dataclass(frozen=True, eq=False)
class Tally:
    """`counts`, int64 [K * (K + 1)]: how many samples of class i were taken for class j [K, K], then how many had their
    own class in place r among the likeliest [K], from 0. Samples with an output that is nan are in neither.
    """

    counts: Counts

    @classmethod
    def of(cls, outputs: NDArray[np.float32], labels: NDArray[np.int32]) -> "Tally":
        """Count the answers that outputs [N, K] are; of equal outputs the first is the likelier one."""
        K = outputs.shape[1]
        whole = ~np.isnan(outputs).any(axis=1)
        z, labels = outputs[whole], labels[whole].astype(np.int64)
        own = z[np.arange(len(z)), labels][:, None]
        before = np.arange(K) < labels[:, None]
        places = ((z > own) | ((z == own) & before)).sum(axis=1)
        counts = np.zeros(size_of(K), np.int64)
        np.add.at(counts, labels * K + z.argmax(axis=1), 1)
        np.add.at(counts, K * K + places, 1)
        return cls(counts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tally) and np.array_equal(self.counts, other.counts)

    def __hash__(self) -> int:
        return hash(self.counts.tobytes())

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.counts + other.counts)

    @property
    def outputs(self) -> int:
        """K."""
        return (isqrt(4 * self.counts.size + 1) - 1) // 2

    @property
    def confusion(self) -> Counts:
        """How many samples of class i were taken for class j, int64 [K, K]."""
        K = self.outputs
        return self.counts[: K * K].reshape(K, K)

    def among(self, k: int) -> int:
        """Return how many samples had their own class among the `k` likeliest."""
        K = self.outputs
        return int(self.counts[K * K : K * K + k].sum())


@dataclass(frozen=True)
class ClassScore:
    """How well one class is told from the others: `correct` of its `samples`, and of the `answers` that named it.

    A ratio of nothing is None.
    """

    number: int
    samples: int
    answers: int
    correct: int

    @property
    def recall(self) -> float | None:
        """The part of its samples that was recognised."""
        return self.correct / self.samples if self.samples else None

    @property
    def precision(self) -> float | None:
        """The part of the answers naming it that was right."""
        return self.correct / self.answers if self.answers else None

    @property
    def f1(self) -> float | None:
        """The harmonic mean of both."""
        both = self.samples + self.answers
        return 2 * self.correct / both if both else None


def scores_of(tally: Tally) -> list[ClassScore]:
    """Return the score of every class."""
    matrix = tally.confusion
    rows, columns = matrix.sum(axis=1), matrix.sum(axis=0)
    return [ClassScore(k, int(rows[k]), int(columns[k]), int(matrix[k, k])) for k in range(len(matrix))]
