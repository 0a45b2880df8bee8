"""`gradsum sweep`: train with many settings, one run after the other, and find the best."""

import argparse
import json
import shlex
import sys
from typing import TYPE_CHECKING

from engine.cli.commands import train
from engine.errors import SettingsError
from engine.system.signals import near_limit_ignored

if TYPE_CHECKING:
    from engine.sweeps.report import SweepResult
    from engine.sweeps.trial import Trial

SHOWN = 10  # trials in the table at the end
# Options with a text that are no settings and may be in the file of --config.
TEXTS = (
    "data",
    "target_column",
    "task",
    "model",
    "db",
    "out",
)


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to `commands`."""
    parser = commands.add_parser(
        "sweep",
        help="train with many settings, and find the best",
        description="Train with many settings, one run after the other on the same workers, stop early those that are "
        "clearly losing, and write the best settings into a file for gradsum train --config. What is not swept over "
        "is given as for gradsum train, and the same for all.",
    )
    parser.add_argument(
        "--over",
        action="append",
        metavar="SETTING=VALUES",
        help="what to try: a,b,c or low:high or low:high:log, with :N at the end for N values of it; may be repeated",
    )
    parser.add_argument("--trials", type=int, metavar="N", help="how many (default: 20, or all of a grid)")
    parser.add_argument(
        "--sampler",
        metavar="grid|random|tpe",
        help="every combination, or random ones (the default), or those that Optuna's TPE suggests",
    )
    parser.add_argument(
        "--prune-after",
        type=int,
        metavar="N",
        help="stop a trial early that is below the median of those finished, once N have (default: 5; 0: never)",
    )
    parser.add_argument("--name", metavar="TEXT", help="what the sweep is to be called in the records")
    parser.add_argument("--resume", metavar="SWEEP", help="go on with a sweep of the database: its number or name")
    train.add_settings(parser)
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Carry out the sweep, and print what was best."""
    from engine.cli import INTERRUPTED
    from engine.cli.live.reporters import sweep_reporter_for

    given, quiet, as_json = train.given_options(arguments, TEXTS)
    own = {name: getattr(arguments, name) for name in ("trials", "sampler", "prune_after", "name", "resume")}
    over = _over(arguments.over or [])
    reporter = sweep_reporter_for(sys.stderr, quiet)
    try:
        reporter.status("loading")
        from engine.sweeps.sweep import sweep

        result = sweep(over or None, reporter=reporter, **own, **given)
    finally:
        reporter.sweep_ended()
    with near_limit_ignored():  # SIGXCPU comes again every second
        _print_summary(result)
        if as_json:
            print(json.dumps(result.asdict()))
    if result.state == "interrupted":
        return INTERRUPTED
    return 0 if result.best else 1


def _over(words: list[str]) -> dict[str, str]:
    """Return what each --over says, by setting; SettingsError if one says nothing, or two say something of one."""
    over: dict[str, str] = {}
    for word in words:
        name, equals, values = word.partition("=")
        if not equals or not name:
            raise SettingsError(f"--over {word!r:.60}: write SETTING=VALUES, such as lr=1e-4:1e-1:log")
        if name in over:
            raise SettingsError(f"--over {name} is given twice; give all its values together, {name}=a,b,c")
        over[name] = values
    return over


def _print_summary(result: "SweepResult") -> None:
    """Print the best trials, and where everything is."""
    from engine.cli.live.trial_table import ending, in_words, trial_table
    from engine.cli.tables import console
    from engine.sweeps.trial import ranked
    from engine.sweeps.trials import resuming

    if result.trials:
        first = ranked(result.trials)[:SHOWN]
        console().print(trial_table(first, list(first[0].parameters)))
        if more := len(result.trials) - len(first):
            print(f"and {more} more")
    if result.state == "interrupted":
        command = resuming(result.sweep, result.name, result.db)
        print(f"Interrupted {_moment(result.trials)} of {result.wanted}. Go on with:\n  {command}")
    if result.best:
        print(f"best        trial {result.best.number} {ending(result.best)}: {in_words(result.best.parameters)}")
        print(f"settings    {result.config} (gradsum train --config {shlex.quote(str(result.config))})")
    elif result.state != "interrupted":
        print("no trial finished")
    print(f"records     {result.db} (sweep {result.sweep})")


def _moment(trials: "list[Trial]") -> str:
    """Return when a sweep was interrupted that has come to these trials."""
    if not trials:
        return "before trial 1"
    return f"{'in' if trials[-1].state == 'interrupted' else 'after'} trial {trials[-1].number}"
