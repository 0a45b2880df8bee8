"""Looks into the training: keeps parameters and gradients of some steps, and says how they are spread.

The training thread only copies vectors; another one computes and writes. Where that one falls too far behind, because
the disk is slow, steps are skipped and counted, and training continues.
"""

from engine.training.snapshots.forecast import forecast
from engine.training.snapshots.recorder import SnapshotRecorder
from engine.training.snapshots.schedule import SnapshotSchedule, schedule_for

__all__ = ["SnapshotRecorder", "SnapshotSchedule", "forecast", "schedule_for"]
