"""Help: on one screen, in groups, with examples that can be run; and what was meant where a word was misspelt."""

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.cli.command import load
from engine.cli.commands import GROUPS, SUMMARIES
from tests.support.command import PATIENCE, Gradsum

SCREEN = 40  # lines


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("help",)])
def test_the_overview_fits_one_screen(gradsum: Gradsum, arguments: tuple[str, ...]) -> None:
    answer = gradsum(*arguments)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert len(lines) <= SCREEN
    assert max(map(len, lines)) < 80
    for group, commands in GROUPS.items():
        first = lines.index(f"{group}:") + 1
        assert [line.split()[0] for line in lines[first : first + len(commands)]] == list(commands)
    for name, summary in SUMMARIES.items():
        assert any(line.split(maxsplit=1) == [name, summary] for line in lines)


@pytest.mark.parametrize("columns", ["1", "2", "3"])
def test_a_terminal_may_be_as_narrow_as_it_likes(
    gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    answer = gradsum("train", "--help")
    assert (answer.code, answer.err) == (0, "")
    assert "--batch-size" in answer.out


@pytest.mark.parametrize("name", SUMMARIES)
def test_every_command_has_its_name_and_examples_that_it_understands(gradsum: Gradsum, name: str) -> None:
    command = load(name)
    assert command.name == name
    assert command.examples
    answer = gradsum(name, "--help")
    assert answer == gradsum("help", name)
    for example in command.examples:
        assert f"\n  {example}\n" in answer.out
        program, first, *words = shlex.split(example)
        assert (program, first) == ("gradsum", name)
        command.parser().parse_args(words)


@pytest.mark.parametrize(("arguments", "what", "meant"), [
    ("trian", "gradsum: no command 'trian'", "'train'"),
    ("evalute", "gradsum: no command 'evalute'", "'evaluate'"),
    ("cordinator", "gradsum: no command 'cordinator'", "'coordinator'"),
    ("help trian", "gradsum: no command 'trian'", "'train'"),
    ("plot progres", "gradsum plot: argument KIND: no 'progres'", "'progress'"),
    ("plot progress --x bacth", "gradsum plot progress: argument --x: no 'bacth'", "'batch'"),
    ("train --learning-rate 0.1", "gradsum train: no option --learning-rate", "--lr"),
    ("train --learning_rate=0.1", "gradsum train: no option --learning_rate", "--lr"),
    ("train -learning-rate 0.1", "gradsum train: no option -learning-rate", "--lr"),
    ("train --batchsize 32", "gradsum train: no option --batchsize", "--batch-size"),
    ("train --batch_size 32", "gradsum train: no option --batch_size", "--batch-size"),
    ("train --bs 32", "gradsum train: no option --bs", "--batch-size"),
    ("train --wokers 2", "gradsum train: no option --wokers", "--workers"),
    ("train --nproc 2", "gradsum train: no option --nproc", "--workers"),
    ("worker --nproc 2 x", "gradsum worker: no option --nproc", "--processes"),
    ("worker --workers 2 x", "gradsum worker: no option --workers", "--processes"),
    ("train --epoch-count 2", "gradsum train: no option --epoch-count", "--epochs"),
    ("train --epoch 2", "gradsum train: no option --epoch", "--epochs"),
    ("train --optimiser adam", "gradsum train: no option --optimiser", "--optimizer"),
    ("train --dataset mnist", "gradsum train: no option --dataset", "--data"),
    ("train --network lenet", "gradsum train: no option --network", "--model"),
    ("train --output o", "gradsum train: no option --output", "--out"),
    ("train --silent", "gradsum train: no option --silent", "--quiet"),
    ("sweep --n-trials 3", "gradsum sweep: no option --n-trials", "--trials"),
])  # fmt: skip
def test_what_was_meant_is_suggested(gradsum: Gradsum, arguments: str, what: str, meant: str) -> None:
    answer = gradsum(*arguments.split())
    assert (answer.code, answer.out) == (2, "")
    program = what.partition(":")[0]
    assert answer.err == f"{what}; did you mean {meant}? (see {program} --help)\n"


@pytest.mark.parametrize(("arguments", "said"), [
    ("xyzzy", "gradsum: no command 'xyzzy' (see gradsum --help)\n"),
    ("train --xyzzy", "gradsum train: no option --xyzzy (see gradsum train --help)\n"),
    ("--quiet train", "gradsum: no option --quiet before the command (see gradsum --help)\n"),
    ("demo xyzzy", "gradsum demo: argument LESSON: no 'xyzzy'; there are hill (see gradsum demo --help)\n"),
])  # fmt: skip
def test_where_nothing_is_near_nothing_is_suggested(gradsum: Gradsum, arguments: str, said: str) -> None:
    answer = gradsum(*arguments.split())
    assert (answer.code, answer.out, answer.err) == (2, "", said)


def test_options_of_earlier_versions_work_and_are_not_suggested(gradsum: Gradsum) -> None:
    assert load("train").parser().parse_args(["--no-mailbox"]).shared_memory is False
    assert "mailbox" not in gradsum("train", "--help").out
    assert "did you mean" not in gradsum("train", "--mailboxes").err


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield `parser`, and those of its subcommands."""
    yield parser
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for below in action.choices.values():
                yield from parsers(below)


@pytest.mark.parametrize("name", SUMMARIES)
def test_every_argument_is_explained_in_the_same_style(name: str) -> None:
    for parser in parsers(load(name).parser()):
        for action in parser._actions:
            what = f"{parser.prog} {action.dest}"
            assert action.help, what
            assert not action.help.endswith("."), what
            if action.nargs == 0 or action.help == argparse.SUPPRESS:
                continue
            words = action.metavar if isinstance(action.metavar, tuple) else (action.metavar or action.dest,)
            assert all(word.isupper() or "|" in word or action.choices for word in words), f"{what}: {words}"
            if action.type is int and action.option_strings:
                assert words in (("N",), ("H", "W", "C")), f"{what}: {words}"


@pytest.mark.parametrize("arguments", [["--help"], ["trian"], ["--version"]])
def test_the_overview_imports_no_command(tidy: Path, arguments: list[str]) -> None:
    program = (
        "import sys; from engine.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = ('numpy', 'rich', 'zmq')\n"
        "print(*(name for name in sys.modules if name.startswith('engine.cli.commands.') or name in heavy))"
    )
    command = [sys.executable, "-c", program, *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert answer.stdout.splitlines()[-1] == ""


@pytest.mark.parametrize("name", ["train", "coordinator", "sweep"])
def test_options_of_training_are_in_groups(gradsum: Gradsum, name: str) -> None:
    lines = gradsum(name, "--help").out.splitlines()
    groups = [line for line in lines if re.fullmatch(r"[a-z ]+:", line)]
    wanted = ["options:", "data and model:", "training:", "how long:", "workers:", "workers on other machines:"]
    wanted += ["records and checkpoints:", "snapshots:", "display and configuration:"]
    assert [group for group in groups if group in wanted] == wanted
    options = lines[lines.index("options:") + 1 : lines.index("data and model:" if name != "sweep" else "the sweep:")]
    assert [line for line in options if line] == ["  -h, --help            show this help message and exit"]
