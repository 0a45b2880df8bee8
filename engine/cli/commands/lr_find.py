"""`gradsum lr-find`: find a learning rate in a short run, with a picture of the loss over it."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli import streams
from engine.cli.command import Command
from engine.cli.exit_codes import INTERRUPTED
from engine.cli.picture_options import check_place, need_matplotlib
from engine.cli.run_options import add_settings, given_options
from engine.training.defaults import LR_HIGH, LR_LOW, LR_STEPS

if TYPE_CHECKING:
    from engine.training.lr_find import LrFinding

TEXTS = ("data", "model", "import_", "db", "out")
PICTURE = Path("runs/lr-find.png")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    group = parser.add_argument_group("the rates")
    group.add_argument("--low", type=float, default=LR_LOW, metavar="X", help="the first one (default: %(default)g)")
    group.add_argument("--high", type=float, default=LR_HIGH, metavar="X", help="the last one (default: %(default)g)")
    group.add_argument("--picture", type=Path, metavar="FILE", help=f"PNG, SVG or PDF (default: {PICTURE})")
    add_settings(parser, {"steps": LR_STEPS, "snapshot_first": 0, "snapshot_every": 0})


def run(arguments: argparse.Namespace) -> int:
    """Find a learning rate, draw the losses, and print what is suggested."""
    from engine.cli.live.reporters import reporter_for

    picture: Path = arguments.picture or PICTURE
    check_place(picture, "--picture")
    need_matplotlib()
    given, quiet, as_json = given_options(arguments, TEXTS)
    reporter = reporter_for(sys.stderr, quiet)
    try:
        reporter.status("loading")
        from engine.training.lr_find import lr_find

        found = lr_find(low=arguments.low, high=arguments.high, reporter=reporter, **given)
    finally:
        reporter.ended()
    if found.interrupted:
        steps = "1 step" if len(found.losses) == 1 else f"{len(found.losses)} steps"
        with streams.saved(interrupted=True):
            print(f"Interrupted after {steps}, too early for a suggestion.")
        return INTERRUPTED
    _draw(found, picture)
    print(f"suggested   --lr {found.suggestion:.2g} (the loss was least at {found.least:.2g})")
    for end, option in ((found.rates[0], "lower --low"), (found.rates[-1], "higher --high")):
        if found.least == end:
            print(f"            the loss may be less beyond the rates that were tried: ask again with a {option}")
    print(f"picture     {picture}")
    if as_json:
        print(json.dumps(_plain(found) | {"picture": str(picture)}))
    return 0


def _draw(found: "LrFinding", picture: Path) -> None:
    from engine.reports.plots import learning_rate, style

    with style.styled():
        style.save(learning_rate.draw(found.rates, found.losses, found.means, found.suggestion), picture)


def _plain(found: "LrFinding") -> dict[str, Any]:
    """Return what `--json` prints."""
    return {"suggestion": found.suggestion, "least": found.least, "rates": found.rates, "losses": found.losses}


COMMAND = Command(
    "lr-find",
    add_options,
    run,
    examples=("gradsum lr-find --data mnist --model lenet", "gradsum lr-find --optimizer sgd --high 10"),
    description="Trains for a few steps with a learning rate that rises from step to step, until the loss does, and "
    "suggests a tenth of the rate at which the loss was least.",
)
