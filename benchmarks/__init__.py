"""Benchmarks: scripts that print a table, or JSON with --json. Judge by ratios taken in one run, not by absolutes."""
