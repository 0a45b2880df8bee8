"""`gradsum coordinator`: `gradsum train` with no workers but those of other machines."""

import argparse

from engine.cli.commands import train
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
    given, quiet, as_json = train.given_options(arguments, train.TEXTS)
    if not (given.get("bind") or _bound(given.get("resume"))):
        raise SettingsError("give --bind tcp://HOST:PORT, where workers of other machines join")
    return train.train_with({"workers": 0} | given, quiet, as_json)


def _bound(resume: str | None) -> bool:
    """Tell whether workers of other machines could join the run that is to go on from the checkpoint `resume`."""
    if resume is None:
        return False
    from engine.checkpoint import load

    return bool(load(resume).run.settings.get("bind"))
