"""`gradsum report`: a page about a run, one HTML file to send to anyone."""

import argparse
import sys
from datetime import datetime
from pathlib import Path

from engine.cli.arguments import add_run
from engine.cli.command import Command
from engine.cli.import_option import add_import_option, imported
from engine.cli.out_files import check_ending, check_spared
from engine.cli.picture_options import check_spares, need_matplotlib
from engine.errors import SettingsError
from engine.reports.text import size
from engine.system.files import write_atomically
from engine.system.terminal import ProgressLine


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_run(parser, "the run to write about")
    add_import_option(parser)
    text = "the page, an .html file (default: run-NUMBER.html)"
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help=text)


def run(arguments: argparse.Namespace) -> int:
    """Write the page and print where it is; return the exit code 0.

    Raises RecordsError if the run does not exist, SettingsError if the page cannot be written or drawn.
    """
    need_matplotlib()
    from engine.records import read_run

    record = read_run(arguments.db, arguments.run)
    path = arguments.out or Path(f"run-{record.run['startID']}.html")
    _check(path, arguments.db)

    from engine.cli.report_pictures import pictures
    from engine.reports.page import build
    from engine.reports.plots.style import styled

    with imported(arguments), styled(), ProgressLine(sys.stderr) as line:
        found = pictures(arguments.db, record.run, line.say)
        footer = f"Written {datetime.now().astimezone():%Y-%m-%d %H:%M} from {arguments.db.absolute()}."
        page = build(record, found, footer).encode("utf-8", "backslashreplace")
    try:
        write_atomically(path, page)
    except OSError as error:
        raise SettingsError(f"the page {path} cannot be written: {error.strerror or error}") from None
    print(f"{path}: {size(len(page))}")
    return 0


def _check(path: Path, db: Path) -> None:
    """Raise SettingsError if the page cannot or should not be written to `path`, before the slow work."""
    if path.is_dir():
        raise SettingsError(f"the page {path} is a folder; name a file in it, such as {path / 'run.html'}")
    if not path.absolute().parent.is_dir():
        raise SettingsError(f"the page {path} cannot be written: the folder {path.absolute().parent} does not exist")
    check_spares(path, db, "database")
    check_spared(path, "the page")
    check_ending(path, ".html", "the page")


COMMAND = Command(
    "report",
    add_options,
    run,
    examples=("gradsum report 3 --out report.html",),
    description="The page has results, curves, kernels, mistakes, workers, events, settings and versions. It is one "
    "HTML file with all pictures inside, and needs no network.",
)
