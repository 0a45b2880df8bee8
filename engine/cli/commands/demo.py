"""`gradsum demo`: small lessons, drawn with the very classes that train."""

import argparse
from pathlib import Path

from engine.cli.pictures import add_out, check_place, need_matplotlib


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to `commands`."""
    parser = commands.add_parser("demo", help="show a lesson as pictures", description="Show a lesson as pictures.")
    lessons = parser.add_subparsers(metavar="LESSON", required=True)
    hill = lessons.add_parser(
        "hill",
        help="how optimizers come down a hill and a valley",
        description="Show how plain descent sticks and overshoots on a hill and in a valley, where momentum and ADAM "
        "do not: a picture and an animated GIF beside it, made by the optimizers that train networks.",
    )
    add_out(hill, "runs/hill.png, and the same with .gif")
    hill.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
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
