"""Defaults that are not settings, where the command line finds them without importing anything slow."""

from pathlib import Path

DEFAULT_DB = Path("runs/gradsum.db")
LR_LOW, LR_HIGH, LR_STEPS = 1e-6, 1.0, 100  # of lr-find
