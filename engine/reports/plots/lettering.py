"""Names that people gave, as they can be drawn: to the letter, and no wider than there is room."""

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from engine.reports.text import shown


def literal(text: str) -> str:
    """Return a name that a person gave so that it is drawn to the letter: no $ begins a formula of matplotlib's.

    Formulas as such cannot be forbidden: the ticks of logarithmic axes are some. What cannot be printed is escaped.
    """
    return shown(text).replace("$", r"\$")


def width(text: str, size: float) -> float:
    """Return how wide `text` is in a font of `size`, both in points."""
    wide: float = text_to_path.get_text_width_height_descent(text, FontProperties(size=size), ismath=False)[0]
    return wide


def fitted(name: str, room: float, size: float) -> str:
    """Return a name for `literal`, its middle left out where it is wider than `room` points in a font of `size`.

    The end stays as well as the beginning: of names that are numbered it is what tells them apart.
    """
    name = text = shown(name)
    kept = len(name)
    while kept > 2 and width(text, size) > room:
        kept -= 1
        text = f"{name[: kept - kept // 3]}…{name[len(name) - kept // 3 :]}"
    return literal(text)
