"""Whether a value is of the right kind and in its range, and what to say if it is not."""

import math
import re
import sys
from collections.abc import Mapping
from typing import Any

from engine.errors import SettingsError


def check_value(name: str, value: object, rule: Mapping[str, Any]) -> None:
    """Raise SettingsError unless the value of the setting `name` has the kind of `rule`, and lies in its range.

    `rule`: what `engine.settings.field.setting` puts into the metadata of a field.
    """
    option = name.replace("_", "-")
    if value is None and rule.get("optional"):
        return
    if rule["kind"] is bool:
        if not isinstance(value, bool):
            raise SettingsError(f"{option} must be true or false, got {_shown(value)}")
    elif rule.get("switch") and isinstance(value, bool):
        return
    elif rule["kind"] is str:
        if "choices" in rule and value not in rule["choices"]:
            raise SettingsError(f"{option} must be one of {', '.join(rule['choices'])}, got {_shown(value)}")
        if not isinstance(value, str):
            wanted = "true or false, or text" if rule.get("switch") else "text"
            raise SettingsError(f"{option} must be {wanted}, got {_shown(value)}")
        if "check" in rule:
            rule["check"](value)
    elif not (rule.get("timed") and isinstance(value, str) and seconds_of(value)):
        _check_number(option, value, rule)


def seconds_of(text: str) -> float | None:
    """Return the seconds that a time such as "90s", "10m" or "1.5h" means; None if it is none above 0."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?([smh])", text)
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]] or None if found else None


def _check_number(option: str, value: object, rule: Mapping[str, Any]) -> None:
    low, high = rule["low"], min(rule["high"], sys.float_info.max)  # no inf
    if isinstance(value, rule["kind"] | int) and not isinstance(value, bool):
        above = value > low if rule.get("above") else value >= low
        below = value < high if rule.get("below") else value <= high
        if above and below:  # nan is neither
            return
    raise SettingsError(f"{option} must be {_wanted(rule)}, got {_shown(value)}")


def _shown(value: object) -> str:
    """Return `value` for a message, if it is not an integer so large that Python refuses to print it."""
    try:
        return f"{value!r:.60}"
    except ValueError:
        return "a number with too many digits"


def _wanted(rule: Mapping[str, Any]) -> str:
    """Return in words which numbers are right."""
    low, high = rule["low"], rule["high"]
    least = f"above {low}" if rule.get("above") else f"of at least {low}"
    if high == math.inf:
        return f"a finite number {least}"
    if rule.get("below"):
        return f"a number {least} and below {high}"
    timed = ", or a time (10m)" if rule.get("timed") else ""
    return f"{'a whole' if rule['kind'] is int else 'a'} number from {low} to {high}{timed}"
