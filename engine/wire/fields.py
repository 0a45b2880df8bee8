"""The fields of a message: what kinds there are, and how a value is checked."""

from collections.abc import Callable
from dataclasses import field, fields
from enum import IntEnum
from functools import cache
from typing import Any

from engine.errors import ProtocolError

COUNT_LIMIT = (1 << 53) - 1
SECONDS_LIMIT = 1e12

Rules = tuple[tuple[str, type, float | None], ...]  # name, type and limit of each field
Choices = tuple[tuple[int, str, type[IntEnum]], ...]  # position, name and type of each field with an enumeration


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


def check(message: Any) -> None:
    """Raise ProtocolError unless every field of `message` holds what it may."""
    for name, kind, limit in rules(type(message)):
        _check(type(message).__name__, name, getattr(message, name), kind, limit)


@cache
def _rules_of(message: type) -> Rules:
    """Return name, type and limit of each field; looked up once, because several messages travel in every step."""
    return tuple((f.name, f.metadata["type"], f.metadata["limit"]) for f in fields(message))


@cache
def _choices_of(message: type) -> Choices:
    """Return position, name and type of each field that holds a member of an enumeration."""
    return tuple((i, name, kind) for i, (name, kind, _) in enumerate(_rules_of(message)) if issubclass(kind, IntEnum))


# mypy does not see that the type of a frozen dataclass is hashable, as `cache` wants it.
rules: Callable[[type], Rules] = _rules_of
choices: Callable[[type], Choices] = _choices_of


def member_of(field_name: str, value: object, kind: type[IntEnum]) -> IntEnum:
    """Return the member of `kind` with the number `value`; ProtocolError if there is none."""
    if type(value) is not int:
        raise ProtocolError(f"{field_name} must be int, got {type(value).__name__}")
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(f"{member:d}" for member in kind)
        raise ProtocolError(f"{field_name} must be one of {known}, got {value}") from None


def _check(message: str, name: str, value: object, kind: type, limit: float | None) -> None:
    """Raise ProtocolError unless `value` is of `kind` and within `limit`, if there is one."""
    if type(value) is not kind:
        raise ProtocolError(f"{message}.{name} must be {kind.__name__}, got {type(value).__name__}")
    if limit is None:
        return
    if isinstance(value, str) and len(value) > limit:
        raise ProtocolError(f"{message}.{name} has {len(value)} characters, at most {limit} are allowed")
    if isinstance(value, int | float) and not 0 <= value <= limit:
        raise ProtocolError(f"{message}.{name} must be from 0 to {limit}, got {value}")
