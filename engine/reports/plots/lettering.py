"""Names that people gave, as they can be drawn: to the letter, and no wider than there is room."""

from functools import cache

import matplotlib as mpl
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.textpath import text_to_path

from engine.reports.text import shown

# With the characters of Chinese, Japanese and Korean, which DejaVu Sans lacks: fonts of Linux, macOS and Windows.
_MORE = (
    *(f"Noto Sans CJK {region}" for region in ("SC", "JP", "KR", "TC", "HK")),
    *("WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback"),
    *("PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Arial Unicode MS"),
    *("Microsoft YaHei", "Yu Gothic", "Malgun Gothic"),
)


def families() -> list[str]:
    """Return the fonts to draw with: a character is of the first that has it."""
    there = set(fontManager.get_font_names())
    return ["DejaVu Sans", *(name for name in _MORE if name in there)]


def literal(text: str) -> str:
    """Return a name that a person gave so that it is drawn to the letter: no $ begins a formula of matplotlib's.

    Formulas as such cannot be forbidden: the ticks of logarithmic axes are some. What cannot be printed is escaped, and
    so is what no font has, which would be a box.
    """
    return _drawable(text).replace("$", r"\$")


def _drawable(text: str) -> str:
    fonts = tuple(mpl.rcParams["font.family"])
    return "".join(c if c.isascii() or _is_in(fonts, c) else ascii(c)[1:-1] for c in shown(text))


@cache
def _is_in(fonts: tuple[str, ...], character: str) -> bool:
    """Return whether one of the fonts has a character."""
    files = (findfont(FontProperties(family=[name])) for name in fonts)
    return any(get_font(file).get_char_index(ord(character)) for file in files)


def width(text: str, size: float) -> float:
    """Return how wide `text` is in a font of `size`, both in points."""
    wide: float = text_to_path.get_text_width_height_descent(text, FontProperties(size=size), ismath=False)[0]
    return wide


def fitted(name: str, room: float, size: float) -> str:
    """Return a name for `literal`, its middle left out where it is wider than `room` points in a font of `size`.

    The end stays as well as the beginning: of names that are numbered it is what tells them apart.
    """
    name = text = _drawable(name)
    kept = len(name)
    while kept > 2 and width(text, size) > room:
        kept -= 1
        text = f"{name[: kept - kept // 3]}…{name[len(name) - kept // 3 :]}"
    return literal(text)
