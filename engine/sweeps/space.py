"""What a sweep tries: for each setting some values, or a range. Data only."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

import numpy as np

from engine.errors import SettingsError
from engine.settings import TRAJECTORY, Settings

MODEL = "model"
# What the result of a run depends on, but for what it is measured with: trials would not compare.
NAMES = (MODEL, *(name for name in TRAJECTORY if name != "validation"))
LOG = "log"
MAX_VALUES = 100_000  # values of one setting
KINDS: dict[str, type] = {MODEL: str} | {f.name: f.metadata["kind"] for f in fields(Settings)}
SWITCHES = {f.name for f in fields(Settings) if f.metadata.get("switch")}

Value = float | int | bool | str
Parameters = Mapping[str, Value]


@dataclass(frozen=True)
class Choice:
    """Some values, each as likely as the others."""

    values: tuple[Value, ...]

    def at(self, u: float) -> Value:
        """Return the value for `u`, which is at least 0 and below 1."""
        return self.values[int(u * len(self.values))]


@dataclass(frozen=True)
class Range:
    """The numbers from `low` to `high`; with `integer` only whole ones, with `log` every order of magnitude alike."""

    low: float
    high: float
    log: bool
    integer: bool

    def at(self, u: float) -> Value:
        """Return the number for `u`, which is at least 0 and below 1."""
        low, high = self.low, self.high + (1 if self.integer else 0)
        x = math.exp(math.log(low) + u * (math.log(high) - math.log(low))) if self.log else low + u * (high - low)
        x = min(max(math.floor(x) if self.integer else x, low), self.high)  # rounding may have led outside
        return int(x) if self.integer else float(x)


Dimension = Choice | Range
Space = dict[str, Dimension]


def space_of(over: Mapping[str, str]) -> Space:
    """Return the space that is written as values ("a,b,c") or a range ("low:high[:log][:count]"), by setting.

    SettingsError for anything else, naming setting and value.
    """
    if not over:
        raise SettingsError("a sweep needs something to try: give --over SETTING=VALUES, such as lr=1e-4:1e-1:log")
    return {name: _dimension(name, text) for name, text in over.items()}


def written(given: Mapping[str, str | Sequence[Value]]) -> dict[str, str]:
    """Return in text what may be given as a sequence of values, by the names of settings; SettingsError for others."""
    if not isinstance(given, Mapping):
        raise SettingsError(f"over must have values by setting, as {{'lr': '1e-4:1e-1:log'}} has, got {given!r:.60}")
    over = {}
    for option, values in given.items():
        name = option.replace("-", "_")
        if name not in NAMES:
            close = get_close_matches(name, NAMES, 1)
            what = "changes no result" if name in KINDS else "is no setting"
            hint = f"; did you mean {close[0]!r}?" if close else "."
            raise SettingsError(f"over {option!r:.60}: that {what}{hint} There are {', '.join(NAMES)}")
        if name in over:
            raise SettingsError(f"over {name}: it is given twice; give all its values together, {name}=a,b,c")
        over[name] = values if isinstance(values, str) else _joined(name, values)
    return over


def _joined(name: str, values: Any) -> str:
    if not isinstance(values, Iterable):
        raise SettingsError(f"over {name}: give values as a sequence or as text, got {values!r:.60}")
    texts = [_text(value) for value in values]
    if odd := next((text for text in texts if "," in text), None):
        raise SettingsError(
            f"over {name}: {odd!r:.60} has a comma, which separates values, so it cannot be one of several"
        )
    return ",".join(texts)


def ends(dimension: Dimension) -> tuple[Value, ...]:
    """Return the values that tell whether all are in range: every one of a choice, the ends of a range."""
    return dimension.values if isinstance(dimension, Choice) else (dimension.low, dimension.high)


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _dimension(name: str, text: str) -> Dimension:
    return _range(name, text) if KINDS[name] in (int, float) and ":" in text else _choice(name, text)


def _choice(name: str, text: str) -> Choice:
    values = tuple(_read(name, word) for word in text.split(","))
    if len(set(values)) < len(values):
        raise SettingsError(f"over {name}: {text!r:.60} has a value twice")
    return Choice(values)


def _read(name: str, word: str) -> Any:
    """Return the value that `word` stands for; SettingsError if the setting cannot have it."""
    word, kind = word.strip(), KINDS[name]
    if not word:
        raise SettingsError(f"over {name}: an empty value; give values as a,b,c")
    switch = kind is bool or (name in SWITCHES and word in ("true", "false"))
    try:
        value = {"true": True, "false": False}[word] if switch else kind(word)
    except (KeyError, ValueError):
        wanted = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
        raise SettingsError(f"over {name}: {word!r:.60} is not {wanted}") from None
    try:
        Settings.build({name: value} if name != MODEL else {})
    except SettingsError as error:
        raise SettingsError(f"over {name}: {error}") from None
    return value


def _range(name: str, text: str) -> Dimension:
    """Return the range "low:high", followed by "log", by how many values of it are wanted, or by both."""
    first, second, *more = text.split(":")
    low, high = _read(name, first), _read(name, second)
    counts = [word for word in more if word.isdecimal()]
    if len(more) != len(counts) + more.count(LOG) or len(counts) > 1 or more.count(LOG) > 1:
        raise SettingsError(
            f"over {name}: {text!r:.60} is not a range; write low:high, low:high:{LOG}, low:high:{LOG}:5"
        )
    if not low < high:
        raise SettingsError(f"over {name}: {text!r:.60} is not a range; {high:g} must be above {low:g}")
    if LOG in more and low <= 0:
        raise SettingsError(f"over {name}: a range in powers must begin above 0, got {low:g}")
    found = Range(low, high, LOG in more, KINDS[name] is int)
    return _spread(name, found, int(counts[0])) if counts else found


def _spread(name: str, over: Range, count: int) -> Choice:
    """Return `count` values from one end of a range to the other; of whole numbers there may be fewer."""
    if not 2 <= count <= MAX_VALUES:
        raise SettingsError(f"over {name}: {count} values of a range; there must be from 2 to {MAX_VALUES}")
    values = [float(x) for x in (np.geomspace if over.log else np.linspace)(over.low, over.high, count)]
    inner = [round(x) for x in values[1:-1]] if over.integer else values[1:-1]
    return Choice(tuple(dict.fromkeys([over.low, *inner, over.high])))
