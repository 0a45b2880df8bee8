"""Every setting of a run, with its range and its help text: one file a group of the help."""

from engine.settings.field import DATA, FILES, LENGTH, OPTIMIZER, SCHEDULE, TRAINING
from engine.settings.given import given_settings, paths_given, settings_of
from engine.settings.settings import ENDS, TRAJECTORY, Settings, SettingsDict
from engine.settings.training import default_microbatch

__all__ = [
    "DATA",
    "ENDS",
    "FILES",
    "LENGTH",
    "OPTIMIZER",
    "SCHEDULE",
    "TRAINING",
    "TRAJECTORY",
    "Settings",
    "SettingsDict",
    "default_microbatch",
    "given_settings",
    "paths_given",
    "settings_of",
]
