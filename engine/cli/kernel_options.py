"""The options of what computes, for commands that compute and have no `Settings`."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager

NAMES = ("kernels", "allow_slow")


def add_kernel_options(parser: argparse.ArgumentParser) -> None:
    """Add --kernels and --allow-slow as commands that train have them; `chosen_kernels` understands them."""
    from engine.cli.run_options import add_setting
    from engine.settings import Settings

    for name in NAMES:
        add_setting(parser, Settings.__dataclass_fields__[name], {})


@contextmanager
def chosen_kernels(arguments: argparse.Namespace) -> Iterator[None]:
    """Compute with what the options say within the block; SettingsError for a value that is unknown.

    A remark about the chosen kernels goes to standard error.
    """
    from engine.kernels import REMARKS, using
    from engine.settings import Settings

    given = {name: getattr(arguments, name) for name in NAMES if getattr(arguments, name) is not None}
    settings = Settings(**given)
    if settings.kernels in REMARKS:
        print(f"gradsum: {REMARKS[settings.kernels]}", file=sys.stderr)
    with using(settings.kernels, settings.allow_slow):
        yield
