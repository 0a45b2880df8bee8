"""What says how well a network does: percent correct where it names classes, R² where it predicts values."""

from enum import Enum


class Measure(Enum):
    """The more the better, in both cases. The value is what a column or an axis is called."""

    PERCENT = "% correct"
    R2 = "R²"

    def cell(self, score: float) -> str:
        """Return the score without its unit, for a column that says it: "97.50", "0.9950"."""
        match self:
            case Measure.PERCENT:
                return f"{score:.2f}"
            case Measure.R2:
                return f"{score:.4f}"

    def short(self, score: float) -> str:
        """Return the score with its unit: "97.50 %", "0.9950"."""
        match self:
            case Measure.PERCENT:
                return f"{score:.2f} %"
            case Measure.R2:
                return f"{score:.4f}"

    def goal(self, score: float) -> str:
        """Return a score that a person wants, in as many digits as given: "97.5 %", "R² 0.99"."""
        match self:
            case Measure.PERCENT:
                return f"{score:g} %"
            case Measure.R2:
                return f"R² {score:g}"

    def text(self, score: float) -> str:
        """Return the score in words: "97.50 % correct", "R² 0.9950"."""
        match self:
            case Measure.PERCENT:
                return f"{score:.2f} % correct"
            case Measure.R2:
                return f"R² {score:.4f}"
