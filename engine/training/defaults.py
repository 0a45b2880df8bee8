"""Defaults that are not settings, where the command line finds them without importing anything slow."""

from pathlib import Path

DEFAULT_DB = Path("runs/gradsum.db")
