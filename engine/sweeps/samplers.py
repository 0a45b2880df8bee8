"""Which parameters each trial has: a pure function of the sweep, and for some samplers of the trials before."""

import math
from collections.abc import Sequence
from typing import Protocol

from engine.errors import SettingsError
from engine.kernels.streams import Purpose, Stream
from engine.sweeps.space import LOG, MAX_VALUES, Choice, Dimension, Parameters, Space, Value
from engine.sweeps.trial import Trial

SAMPLERS = ("grid", "random", "tpe")
DRAWS = 100_000  # until a trial repeats an earlier one: it happens where nearly all combinations have been tried
_AT_ONCE = 64  # draws: one by one they take longer


class Sampler(Protocol):
    """Suggests parameters. Trials count from 1, and each is suggested once, in order.

    How they ended is told in order, too, some of them while others are yet to end.
    """

    def suggest(self, number: int, known: Parameters | None = None) -> Parameters:
        """Return the parameters of trial `number`: those that are `known` from the records, if it began before."""

    def tell(self, trial: Trial) -> None:
        """Learn how a trial ended."""


class Grid:
    """Every combination, that of the first values first; the last setting changes fastest. `size`: how many."""

    def __init__(self, space: Space) -> None:
        self._axes = {name: _values(name, dimension) for name, dimension in space.items()}
        self.size = math.prod(map(len, self._axes.values()))

    def suggest(self, number: int, known: Parameters | None = None) -> Parameters:
        """Return the combination `number`, from 1 to `size`."""
        if known:
            return known
        chosen, rest = {}, number - 1
        for name, values in reversed(self._axes.items()):
            rest, place = divmod(rest, len(values))
            chosen[name] = values[place]
        return {name: chosen[name] for name in self._axes}

    def tell(self, trial: Trial) -> None:
        """Do nothing."""


class Random:
    """Independent draws: trial k has a random stream of its own.

    What an earlier trial had is drawn again from that stream, since a trial that is repeated tells nothing new.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed
        self._seen: set[tuple[Value, ...]] = set()

    def suggest(self, number: int, known: Parameters | None = None) -> Parameters:
        """Return the parameters of trial `number`; an earlier trial's only if no others turn up in many draws."""
        chosen = known or self._draw(number)
        self._seen.add(tuple(chosen[name] for name in self._space))
        return chosen

    def _draw(self, number: int) -> Parameters:
        random = Stream(self._seed, Purpose.TRIAL, number)
        for _ in range(0, DRAWS, _AT_ONCE):
            for row in random.doubles(_AT_ONCE, len(self._space)).tolist():
                drawn = {name: dimension.at(u) for (name, dimension), u in zip(self._space.items(), row, strict=True)}
                if tuple(drawn.values()) not in self._seen:
                    return drawn
        return drawn

    def tell(self, trial: Trial) -> None:
        """Do nothing."""


def size(space: Space) -> int | None:
    """Return how many combinations there are; None for no end of them."""
    try:
        return Grid(space).size
    except SettingsError:
        return None


def _values(name: str, dimension: Dimension) -> Sequence[Value]:
    """Return all values of a dimension; SettingsError where they are not finitely many."""
    if isinstance(dimension, Choice):
        return dimension.values
    if not dimension.integer or dimension.log or dimension.high - dimension.low >= MAX_VALUES:
        text = f"{dimension.low:.12g}:{dimension.high:.12g}" + (f":{LOG}" if dimension.log else "")
        raise SettingsError(f"over {name}: a grid needs to know how many values of {text} to try: {name}={text}:5")
    return range(int(dimension.low), int(dimension.high) + 1)
