"""From what a caller gave to settings, and back."""

import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from engine.errors import SettingsError
from engine.nn.optimizers import OPTIMIZERS, Optimizer
from engine.settings.settings import Settings


def given_settings(
    settings: Settings | None, optimizer: Optimizer | str | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what was given, by name: what is not the default in `settings`, then `options`, then `optimizer`."""
    if not isinstance(settings, Settings | None):
        raise SettingsError(f"settings must be Settings(...), got {settings!r:.60}; single ones are arguments by name")
    chosen = settings.asdict() if settings else {}
    changed = {f.name: chosen[f.name] for f in fields(Settings) if chosen.get(f.name, f.default) != f.default}
    return changed | dict(options) | (settings_of(optimizer) if optimizer else {})


def paths_given(**given: str | os.PathLike[str] | None) -> list[Path | None]:
    """Return the paths that arguments of these names have; SettingsError for what cannot be one."""
    for name, value in given.items():
        if not isinstance(value, str | os.PathLike | None):
            raise SettingsError(f"{name} must be a path, got {value!r:.60}")
    return [None if value is None else Path(value) for value in given.values()]


def settings_of(optimizer: Optimizer | str) -> dict[str, Any]:
    """Return the settings, by name, that `Settings.make_optimizer` turns back into `optimizer`.

    A name stands for itself: what belongs to it is given as settings. SettingsError for anything else.
    """
    if isinstance(optimizer, str):
        return {"optimizer": optimizer}
    for name, kind in OPTIMIZERS.items():
        if type(optimizer) is kind:
            return {"optimizer": name} | asdict(optimizer)
    raise SettingsError(f"optimizer must be one of {', '.join(OPTIMIZERS)} or an object like Adam(), got {optimizer!r}")
