"""The option for layers and losses of one's own, for commands that have no `Settings`."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

HELP = "a Python file, or the name of a module, with layers, losses and metrics of your own; several with commas"


def add_import_option(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add --import, which `imported` understands."""
    parser.add_argument("--import", dest="import_", metavar="MODULE", help=HELP)


@contextmanager
def imported(arguments: argparse.Namespace) -> Iterator[None]:
    """Have the modules of --import within the block; SettingsError for one that is not there."""
    from engine.nn.own.imports import importing

    with importing(arguments.import_):
        yield
