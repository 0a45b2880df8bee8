"""Types of arguments that several benchmarks take."""

import argparse


def positive(text: str) -> int:
    """Return a positive integer; ArgumentTypeError for anything else."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)
