"""`gradsum bench`: how many workers, which micro-batch, and would a second machine help."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from engine.cli.command import Command
from engine.cli.exit_codes import INTERRUPTED
from engine.cli.import_option import add_import_option, imported
from engine.cli.kernel_options import add_kernel_options, chosen_kernels
from engine.cli.out_files import check_ending, check_spared
from engine.cli.picture_options import check_place, check_writable, need_matplotlib
from engine.cli.tables import console, table
from engine.system.signals import Interrupt

if TYPE_CHECKING:
    from engine.bench.case import Case, Subject
    from engine.bench.measure import Watch
    from engine.bench.study import Row, Study


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    many: dict[str, Any] = {"type": int, "nargs": "+", "metavar": "N"}
    parser.add_argument("--model", metavar="NAME|FILE", help="the network, as of gradsum train (default: letters)")
    parser.add_argument("--data", metavar="NAME|PATH", help="the data, as of gradsum train (default: letters)")
    parser.add_argument(
        "--on",
        metavar="TEXT",
        help="where workers run, as of gradsum train; each run places them again (default: here)",
    )
    parser.add_argument(
        "--bind",
        metavar="ADDRESS",
        help="where workers elsewhere join, as of gradsum train, with a port; --workers is then one number, that of "
        "all that join (default: workers run here)",
    )
    parser.add_argument("--key", metavar="FILE", help="key file of --bind (default: a new one for this study)")
    parser.add_argument("--insecure", action="store_true", help="let anyone join at --bind without keys")
    parser.add_argument(
        "--workers", **many, help="numbers of workers to try (default: 0, 1, 2, 4 ... up to one per core)"
    )
    parser.add_argument("--batch-size", **many, default=[64, 256], help="batch sizes to try (default: 64 256)")
    parser.add_argument("--microbatch", **many, help="sizes of micro-batches to try (default: as of gradsum train)")
    parser.add_argument(
        "--weak", action="store_true", help="weak scaling: multiply the batch size by the number of workers"
    )
    text = "images per run, after the first ten steps, which do not count (default: %(default)s)"
    parser.add_argument("--images", type=int, default=16_000, metavar="N", help=text)
    parser.add_argument(
        "--rounds", type=int, default=5, metavar="N", help="runs per number and size (default: %(default)s)"
    )
    add_import_option(parser)
    add_kernel_options(parser)
    parser.add_argument("--save", type=Path, metavar="FILE", help="the result, a .json file (default: bench-TIME.json)")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="show images/s against those of an earlier result")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the speed-ups (PNG, SVG or PDF)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(arguments: argparse.Namespace) -> int:
    """Measure, print, draw and keep; what there is so far if that is interrupted."""
    with imported(arguments), chosen_kernels(arguments):
        return _bench(arguments)


def _bench(arguments: argparse.Namespace) -> int:
    from engine.bench import result_file
    from engine.bench.case import Subject
    from engine.bench.measure import Watch
    from engine.cli.live.bench import follow
    from engine.cli.live.display import join_with
    from engine.system.cores import usable_cores

    counts = sorted({0, *(arguments.workers or _up_to(usable_cores()))})
    _check(counts, arguments)
    before = result_file.load(arguments.compare, arguments.model, arguments.data) if arguments.compare else None
    watch = Watch(lambda command: _say(join_with(command)), _say)
    with Interrupt() as interrupt, TemporaryDirectory(prefix="gradsum-bench-") as folder:
        key = None if arguments.insecure else arguments.key or f"{folder}/key"
        subject = Subject(arguments.model, arguments.data, arguments.on, arguments.bind, arguments.bind and key)
        study = _study(subject, counts, arguments, interrupt, watch)
        for remark in result_file.remarks(before, {due.case for due in study.plan}) if before else ():
            _say(f"--compare {arguments.compare}: {remark}")
        complete = follow(study, sys.stderr, interrupt)
    rows = study.rows()
    if before:
        result_file.compared(rows, before)
    if rows:
        _tell(subject, rows, watch.machines, arguments, complete=complete)
    if not complete:
        print("gradsum: interrupted", file=sys.stderr)
    return 0 if complete else INTERRUPTED


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # as it is now: a bar that is shown has another


def _study(
    subject: "Subject", counts: Sequence[int], arguments: argparse.Namespace, interrupt: Interrupt, watch: "Watch"
) -> "Study":
    def together(case: "Case") -> float:
        steps = case.steps(arguments.images)
        return measure.side_by_side(subject, case, steps, case.workers, lambda: interrupt.requested)

    from engine.bench import measure
    from engine.bench.case import cases
    from engine.bench.study import Study
    from engine.system.cores import usable_cores

    sizes = list(dict.fromkeys(arguments.microbatch or []))
    return Study(
        cases(list(dict.fromkeys(arguments.batch_size)), sizes, list(counts), weak=arguments.weak),
        arguments.rounds,
        0 if subject.bind else usable_cores(),  # what other machines allow is not known here
        lambda case: measure.measure(subject, case, case.steps(arguments.images), watch),
        together,
    )


def _tell(
    subject: "Subject",
    rows: "Sequence[Row]",
    machines: dict[str, int],
    arguments: argparse.Namespace,
    *,
    complete: bool,
) -> None:
    """Print the rows and what they come to, draw them, and keep them."""
    from engine.bench import result_file
    from engine.bench.verdict import elsewhere, second_machine, verdicts

    found = result_file.result(subject, rows, machines, weak=arguments.weak, complete=complete)
    if arguments.json:
        print(json.dumps(found))
    else:
        print(_machine(found["machine"]), end="\n\n")
        show(rows)
        more = second_machine(rows)
        if subject.bind:
            more = elsewhere(machines)
        print("", *verdicts(rows, found["cores"]), *more, sep="\n")
    out = sys.stderr if arguments.json else sys.stdout
    path = arguments.save or result_file.default_path()
    try:
        if arguments.plot and any(row["workers"] for row in rows):
            from engine.reports.plots import speedup, style

            with style.styled():
                what = Path(subject.model or "letters").stem
                style.save(speedup.draw(rows, what=what, weak=arguments.weak, cores=found["cores"]), arguments.plot)
            print(f"plot    {arguments.plot}", file=out)
    finally:
        result_file.save(path, found)  # whatever becomes of the picture: it was measured for a long time
    print(f"result  {path}", file=out)


def _machine(facts: dict[str, Any]) -> str:
    """Return a line about where this was measured."""
    cores = f"{facts['cores']} of {facts['machine_cores']} cores"
    return f"{facts['host']}: {facts['processor'] or 'processor unknown'}, {cores}, {facts['arithmetic']}"


def _check(counts: list[int], arguments: argparse.Namespace) -> None:
    """Raise SettingsError for values that make no sense, before anything is measured."""
    from engine.bench.case import cases
    from engine.errors import SettingsError
    from engine.settings import Settings

    for option, values in (
        ("images", [arguments.images]),
        ("rounds", [arguments.rounds]),
        ("batch-size", arguments.batch_size),
    ):
        if min(values) < 1:
            raise SettingsError(f"--{option} must be at least 1, got {min(values)}")
    for case in cases(arguments.batch_size, arguments.microbatch or [], counts, weak=arguments.weak):
        Settings(workers=case.workers, batch_size=case.batch, microbatch=case.microbatch)
    _check_elsewhere(counts, arguments)
    if arguments.on not in (None, "here"):
        from engine.launch.launchers import launcher_for

        launcher_for(arguments.on)
    if arguments.plot and not any(counts):
        raise SettingsError("--plot draws speed-up against workers: give --workers a number above 0")
    _check_place(arguments.save)
    if arguments.plot:
        check_place(arguments.plot, "--plot")
        need_matplotlib()


def _check_place(save: Path | None) -> None:
    """Raise SettingsError unless the result can be kept."""
    from engine.bench import result_file

    if save is None:
        check_writable(result_file.default_path(), "the result", "bench.json")
        return
    check_writable(save, "--save", "bench.json")
    check_spared(save, "--save")
    check_ending(save, ".json", "--save")


def _check_elsewhere(counts: list[int], arguments: argparse.Namespace) -> None:
    """Raise UsageError or SettingsError unless what is said of workers elsewhere goes together."""
    from engine.errors import SettingsError
    from engine.wire.address import places_to_listen

    if not arguments.bind:
        if arguments.key or arguments.insecure:
            raise SettingsError(f"{'--key' if arguments.key else '--insecure'} is for workers elsewhere: give --bind")
        return
    if arguments.on:
        raise SettingsError("--on places workers, and with --bind they join by themselves: give one of them")
    if arguments.key and arguments.insecure:
        raise SettingsError("--insecure needs no --key: give one of them")
    if not arguments.workers or len(counts) != 2:
        raise SettingsError("--bind needs --workers with one number, how many workers elsewhere are going to join")
    if places_to_listen(arguments.bind)[0].port == 0:
        raise SettingsError(f"--bind {arguments.bind}: give a port above 0; workers join again with every run")


def _up_to(cores: int) -> list[int]:
    """Return 1, 2, 4, ... and the number of cores."""
    return [1 << i for i in range(cores.bit_length()) if 1 << i <= cores] + [cores]


def show(rows: "Sequence[Row]") -> None:
    """Print the rows as a Markdown table, or one of at most 80 columns in a terminal.

    Columns that are empty, or the same in all rows, are left out.
    """
    from engine.bench.study import PARTS

    columns = {"batch": [str(row["batch"]) for row in rows]}
    if len({row["microbatch"] for row in rows}) > 1:
        columns["micro-batch"] = [str(row["microbatch"]) for row in rows]
    columns["workers"] = [str(row["workers"]) for row in rows]
    columns["images/s"] = [f"{row['images_per_second']:,.0f}" for row in rows]
    for name, key in (("speed-up", "speedup"), ("machine", "machine"), ("limit", "limit"), ("before", "before")):
        if any(row.get(key) for row in rows):
            columns[name] = ["" if row.get(key) is None else f"{row[key]:.2f}" for row in rows]
    columns |= {f"{part} ms": [f"{row[part]:.2f}" for row in rows] for part in PARTS}
    if sys.stdout.isatty():
        _show_in_terminal(columns)
        return
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for cells in zip(*columns.values(), strict=True):
        print("| " + " | ".join(cells) + " |")


def _show_in_terminal(columns: "dict[str, list[str]]") -> None:
    """Print a table whose headings have a line for each word."""
    grid = table()
    grid.padding = (0, 1, 0, 0)
    for name in columns:
        grid.add_column(name.replace("-", "-\n").replace(" ", "\n"), justify="right", vertical="bottom")
    for cells in zip(*columns.values(), strict=True):
        grid.add_row(*cells)
    console().print(grid)


COMMAND = Command(
    "bench",
    add_options,
    run,
    examples=(
        "gradsum bench",
        "gradsum bench --bind tcp://*:5555 --workers 8",
        "gradsum bench --model mlp --batch-size 256 --microbatch 8 16 --workers 1 2 4 --plot speedup.png",
    ),
    description="Trains a network with 0, 1, 2, ... workers in turns, round after round, so that a slow spell of the "
    "machine affects all of them. Prints medians: the speed-up over 0 workers; what the machine allows, from as many "
    "runs without workers side by side; the limit that the serial part of a step sets; and where the time of a step "
    "goes. Ends with what is best here. Interrupted, it shows what it has.",
)
