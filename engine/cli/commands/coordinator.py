"""`gradsum coordinator`: `gradsum train` with workers on other machines only."""

import argparse

from engine.cli.command import Command
from engine.cli.commands.train import train_with
from engine.cli.run_options import TEXTS, add_run_options, given_options
from engine.errors import SettingsError

DEFAULTS = {"workers": 0}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_run_options(parser, DEFAULTS)


def run(arguments: argparse.Namespace) -> int:
    """Train, and print where everything is; SettingsError if no one could join."""
    given, quiet, as_json = given_options(arguments, TEXTS)
    if given.get("on") not in (None, "here"):
        return train_with(given, quiet, as_json)
    if not (given.get("bind") or _bound(given.get("resume"), given.get("or_begin", False))):
        raise SettingsError("give --bind tcp://HOST:PORT, where workers on other machines join")
    return train_with(DEFAULTS | given, quiet, as_json)


def _bound(resume: str | None, or_begin: bool) -> bool:
    """Return whether workers on other machines could join the run of the checkpoint `resume`."""
    if resume is None:
        return False
    from engine.checkpoint import has_any, load

    if or_begin and not has_any(resume):
        return False
    return bool(load(resume).run.settings.get("bind"))


COMMAND = Command(
    "coordinator",
    add_options,
    run,
    examples=("gradsum coordinator --bind tcp://0.0.0.0:5555 --key key",),
    description="As gradsum train, but workers join from other machines, and none are started on this one unless "
    "--workers is given.",
)
