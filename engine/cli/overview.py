"""What `gradsum` without a command, and `gradsum --help`, show: all commands on one screen."""

from engine.cli.commands import GROUPS, SUMMARIES


def overview() -> str:
    """Return the help of `gradsum` itself."""
    width = max(map(len, SUMMARIES))
    lines = [
        "usage: gradsum COMMAND [OPTION ...]",
        "",
        "Train neural networks on CPUs: the same bits with any number of workers.",
    ]
    for group, commands in GROUPS.items():
        lines += ["", f"{group}:", *(f"  {name:{width}}  {summary}" for name, summary in commands.items())]
    lines += ["", "Options of a command: gradsum COMMAND --help. The version: gradsum --version.", "", "examples:"]
    lines += ["  gradsum train --data letters --workers 4", "  gradsum runs"]
    return "\n".join(lines)
