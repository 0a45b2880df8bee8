"""`gradsum sweep`: train with many settings, one run after the other or side by side, and find the best."""

import argparse
import json
import shlex
import sys
from typing import TYPE_CHECKING

from engine.cli import streams
from engine.cli.command import Command
from engine.cli.exit_codes import INTERRUPTED
from engine.cli.run_options import add_settings, given_options
from engine.errors import SettingsError
from engine.sweeps import defaults
from engine.system.signals import near_limit_ignored

if TYPE_CHECKING:
    from engine.sweeps.report import SweepResult
    from engine.sweeps.trial import Trial

SHOWN = 10  # trials in the table at the end
# Options that take text and may be in the file of --config.
TEXTS = ("data", "model", "import_", "db", "out")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    group = parser.add_argument_group("the sweep")
    group.add_argument(
        "--over",
        action="append",
        metavar="SETTING=VALUES",
        help="what to try: a,b,c or low:high or low:high:log, with :N at the end for N values of it; may be repeated",
    )
    group.add_argument(
        "--trials", type=int, metavar="N", help=f"how many to run (default: {defaults.TRIALS}, or all of a grid)"
    )
    group.add_argument(
        "--sampler",
        metavar="grid|random|tpe",
        help="every combination, random ones without repetition, or those that Optuna's TPE suggests "
        f"(default: {defaults.SAMPLER})",
    )
    group.add_argument(
        "--prune-after",
        type=int,
        metavar="N",
        help="once N trials have finished, stop those early that are below the median; 0: never "
        f"(default: {defaults.PRUNE_AFTER})",
    )
    group.add_argument(
        "--at-once",
        type=int,
        metavar="N",
        help="run N trials side by side, each on workers of its own; what a trial follows from are those at least N "
        f"before it, whichever ends first (default: {defaults.AT_ONCE})",
    )
    group.add_argument("--name", metavar="TEXT", help="name of the sweep in the records")
    group.add_argument("--resume", metavar="SWEEP", help="continue a sweep of the database, given its number or name")
    add_settings(parser, defaults.SETTINGS)


def run(arguments: argparse.Namespace) -> int:
    """Run the sweep, and print the best trials."""
    from engine.cli.live.reporters import sweep_reporter_for

    given, quiet, as_json = given_options(arguments, TEXTS)
    own = {name: getattr(arguments, name) for name in ("trials", "sampler", "prune_after", "at_once", "name", "resume")}
    over = _over(arguments.over or [])
    reporter = sweep_reporter_for(sys.stderr, quiet)
    try:
        reporter.status("loading")
        from engine.sweeps.sweep import sweep

        result = sweep(over or None, reporter=reporter, **own, **given)
    finally:
        reporter.sweep_ended()
    with streams.saved(result.state == "interrupted"), near_limit_ignored():  # SIGXCPU comes again every second
        _print_summary(result)
        if as_json:
            print(json.dumps(result.asdict()))
    if result.state == "interrupted":
        return INTERRUPTED
    return 0 if result.best else 1


def _over(words: list[str]) -> dict[str, str]:
    """Return the values of each --over by setting; SettingsError for one without values, or two of one setting."""
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
    """Print the best trials and where everything is."""
    from engine.cli.live.trial_table import ending, in_words, trial_table
    from engine.cli.tables import console
    from engine.reports.text import size
    from engine.sweeps.trial import ranked
    from engine.sweeps.trials import resuming

    if result.trials:
        first = ranked(result.trials)[:SHOWN]
        console().print(trial_table(first, list(first[0].parameters)))
        if more := len(result.trials) - len(first):
            print(f"and {more} more")
    if result.state == "interrupted":
        command = resuming(result.sweep, result.name, result.db)
        print(f"Interrupted {_moment(result.trials)} of {result.wanted}. Resume with:\n  {command}")
    if result.best:
        print(f"best        trial {result.best.number} {ending(result.best)}: {in_words(result.best.parameters)}")
        print(f"network     {result.checkpoint or 'its checkpoint is not there any more'}")
        if result.config:
            print(f"settings    {result.config} (gradsum train --config {shlex.quote(str(result.config))})")
    elif result.state != "interrupted":
        print("no trial finished")
    bytes_ = "" if result.records_bytes is None else f", {size(result.records_bytes)}"
    print(f"records     {result.db} (sweep {result.sweep}{bytes_})")


def _moment(trials: "list[Trial]") -> str:
    """Return when a sweep with these trials was interrupted."""
    if not trials:
        return "before trial 1"
    if stopped := [str(trial.number) for trial in trials if trial.state == "interrupted"]:
        return f"in trial{'s' * (len(stopped) > 1)} {', '.join(stopped)}"
    return f"after trial {trials[-1].number}"


COMMAND = Command(
    "sweep",
    add_options,
    run,
    examples=(
        "gradsum sweep --over lr=1e-4:1e-1:log --over optimizer=adam,sgd --epochs 1",
        "gradsum sweep --resume 1 --trials 40",
        'gradsum sweep --over lr=1e-4:1e-1:log --at-once 4 --on "slurm -c 16"',
    ),
    description="One run after the other trains with the same workers, or several side by side; runs that are clearly "
    "losing are stopped early. "
    "The best settings are written to a file for gradsum train --config. What is not swept over is given as for "
    "gradsum train and is the same for all.",
)
