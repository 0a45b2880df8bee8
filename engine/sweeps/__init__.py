"""Sweeps: trials one after another on the same workers, each a run with settings of its own."""
