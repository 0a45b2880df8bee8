"""`gradsum demo`: small lessons, drawn with the classes that train networks."""

import argparse
from pathlib import Path

from engine.cli.command import Command
from engine.cli.picture_options import add_out, check_place, need_matplotlib


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the lessons, one subcommand each."""
    lessons = parser.add_subparsers(metavar="LESSON", help="the lesson", required=True)
    hill = lessons.add_parser(
        "hill",
        help="how optimizers come down a hill and a valley",
        description="Show how plain descent sticks and overshoots on a hill and in a valley, where momentum and ADAM "
        "do not: a picture and an animated GIF beside it, made by the optimizers that train networks.",
        examples=["gradsum demo hill --out hill.png"],
    )
    add_out(hill, "runs/hill.png, and the same with .gif")


def run(arguments: argparse.Namespace) -> int:
    """Write the picture and the animation, and print where they are."""
    still: Path = arguments.out or Path("runs/hill.png")
    check_place(still)
    need_matplotlib()
    from engine.reports.plots import hill, style

    moving = still.with_suffix(".gif")
    with style.styled():
        style.save(hill.draw(), still)
        style.write(moving, hill.animation())
    print(still)
    print(moving)
    return 0


COMMAND = Command(
    "demo",
    add_options,
    run,
    examples=("gradsum demo hill",),
)
