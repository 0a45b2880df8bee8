"""`gradsum coordinator`: `gradsum train` with no workers but those of other machines."""

import argparse

from engine.cli import train
from engine.errors import SettingsError


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to `commands`."""
    parser = commands.add_parser(
        "coordinator",
        help="train a network with workers on other machines",
        description="Train a network with workers that join from other machines: gradsum train, with --workers 0 "
        "unless another number is given.",
    )
    train.add_options(parser)
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Train with others."""
    if arguments.workers is None:
        arguments.workers = 0
    if not (arguments.bind or arguments.config or arguments.resume):
        raise SettingsError("give --bind tcp://HOST:PORT, where workers of other machines join")
    return train.execute(arguments)
