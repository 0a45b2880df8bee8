"""The fields of messages: what they may hold, which is checked whenever a message is made or received."""

from dataclasses import field
from enum import IntEnum
from typing import Any

from engine.errors import ProtocolError

COUNT_LIMIT = (1 << 53) - 1
SECONDS_LIMIT = 1e12


def count(limit: int = COUNT_LIMIT, **default: Any) -> Any:
    """Return a field that holds a whole number from 0 to `limit`."""
    return field(metadata={"type": int, "limit": limit}, **default)


def text(limit: int, **default: Any) -> Any:
    """Return a field that holds at most `limit` characters."""
    return field(metadata={"type": str, "limit": limit}, **default)


def real() -> Any:
    """Return a field that holds any float, nan and infinity included: a run that diverges must be able to say so."""
    return field(metadata={"type": float, "limit": None})


def choice(kind: type[IntEnum]) -> Any:
    """Return a field that holds a member of `kind`, which travels as its number."""
    return field(metadata={"type": kind, "limit": None})


def duration() -> Any:
    """Return a field that holds a number of seconds, from 0 to `SECONDS_LIMIT`."""
    return field(metadata={"type": float, "limit": SECONDS_LIMIT})


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
