"""Types of arguments that several benchmarks take."""

import argparse


def positive(text: str) -> int:
    """Return a whole number above 0; ArgumentTypeError for anything else."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)
