"""The fields of messages: what they may hold, which is checked whenever a message is made or received."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import field, fields
from enum import IntEnum
from operator import itemgetter
from typing import Any

from engine.errors import ProtocolError

COUNT_LIMIT = (1 << 53) - 1
SECONDS_LIMIT = 1e12
SESSION_LIMIT = 32  # characters


def count(limit: int = COUNT_LIMIT, **default: Any) -> Any:
    """Return a field that holds a whole number from 0 to `limit`."""
    return field(metadata={"type": int, "limit": limit}, **default)


def text(limit: int, **default: Any) -> Any:
    """Return a field that holds at most `limit` characters."""
    return field(metadata={"type": str, "limit": limit}, **default)


def session_id() -> Any:
    """Return a field that holds the id of a session."""
    return text(SESSION_LIMIT)


def real() -> Any:
    """Return a field that holds any float, nan and infinity included: a run that diverges must be able to say so."""
    return field(metadata={"type": float, "limit": None})


def choice(kind: type[IntEnum]) -> Any:
    """Return a field that holds a member of `kind`, which travels as its number."""
    return field(metadata={"type": kind, "limit": None})


def duration() -> Any:
    """Return a field that holds a number of seconds, from 0 to `SECONDS_LIMIT`."""
    return field(metadata={"type": float, "limit": SECONDS_LIMIT})


class Rules:
    """What the fields of one kind of message may hold.

    Several messages travel in every step, when nothing of ours is in the processor's cache any more, so the check of
    values that are in order takes few calls, each for many fields. Only when it fails it is found out what is wrong.
    """

    def __init__(self, message: type) -> None:
        self._message = message
        self._rules = [(f.name, f.metadata["type"], f.metadata["limit"]) for f in fields(message)]
        self.names = tuple(name for name, _, _ in self._rules)
        self._types = [kind for _, kind, _ in self._rules]
        numbered = list(enumerate(self._rules))
        self.choices = [(i, name, kind) for i, (name, kind, _) in numbered if issubclass(kind, IntEnum)]
        self._texts = [(i, limit) for i, (_, kind, limit) in numbered if kind is str]
        self._durations = [(i, limit) for i, (_, kind, limit) in numbered if kind is float and limit is not None]
        counts: defaultdict[int, list[int]] = defaultdict(list)
        for i, (_, kind, limit) in numbered:
            if kind is int:
                counts[limit].append(i)
        # Of one field `itemgetter` returns the value, and of several a tuple: so one is taken twice.
        self._counts: list[tuple[Callable[[Any], tuple[int, ...]], int]] = [
            (itemgetter(*places, places[0]), limit) for limit, places in counts.items()
        ]

    def hold(self, values: list[Any]) -> bool:
        """Return whether the values of all fields, in order, are what they may be."""
        if list(map(type, values)) != self._types:
            return False
        for i, limit in self._texts:
            if len(values[i]) > limit:
                return False
        for several, limit in self._counts:
            numbers = several(values)
            if min(numbers) < 0 or max(numbers) > limit:
                return False
        for i, limit in self._durations:  # noqa: SIM110 - `all` of a generator takes several times as long
            if not 0 <= values[i] <= limit:
                return False
        return True

    def check(self, values: Iterable[Any]) -> None:
        """Raise ProtocolError unless `hold` does."""
        for (name, kind, limit), value in zip(self._rules, values, strict=True):
            check(self._message, name, value, kind, limit)


def check(message: type, name: str, value: object, kind: type, limit: float | None) -> None:
    """Raise ProtocolError unless `value` is of `kind` and within `limit`, if there is one."""
    if type(value) is not kind:
        raise ProtocolError(f"{message.__name__}.{name} must be {kind.__name__}, got {type(value).__name__}")
    if limit is None:
        return
    if isinstance(value, str) and len(value) > limit:
        raise ProtocolError(f"{message.__name__}.{name} has {len(value)} characters, at most {limit} are allowed")
    if isinstance(value, int | float) and not 0 <= value <= limit:
        raise ProtocolError(f"{message.__name__}.{name} must be from 0 to {limit}, got {value}")


def member(message: type, name: str, value: object, kind: type[IntEnum]) -> IntEnum:
    """Return the member of `kind` whose number has come in; ProtocolError if there is none."""
    if type(value) is not int:
        raise ProtocolError(f"{message.__name__}.{name} must be int, got {type(value).__name__}")
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(f"{one:d}" for one in kind)
        raise ProtocolError(f"{message.__name__}.{name} must be one of {known}, got {value}") from None
