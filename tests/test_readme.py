"""README says what is there: its example runs, every option, column and command is in it."""

import argparse
import re
from pathlib import Path

import pytest

from engine.cli import COMMANDS
from engine.cli.train import register
from engine.records import COLUMNS

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    [example] = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102
    said = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\d+ % of 4000 correct", said[0])
    assert int(said[0].split()[0]) > 50, "200 steps are enough to read more than half of the letters"
    assert len(said[1].split(",")) == 5


def test_the_model_example_is_a_model(tmp_path: Path) -> None:
    from engine.model import load_model

    [example] = re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL)
    (tmp_path / "model.toml").write_text(example, encoding="utf-8")
    model = load_model(str(tmp_path / "model.toml"), (28, 28, 1), 26)
    assert model.classes == 26


def test_every_option_of_train_is_documented() -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    register(commands)
    documented = set(re.findall(r"`(--[a-z0-9-]+)`", README))
    for action in commands.choices["train"]._actions:
        for option in action.option_strings:
            if option.startswith("--") and option != "--help":
                assert option in documented, f"{option} is not in README"
                assert action.help, f"{option} has no help"


@pytest.mark.parametrize("table", COLUMNS)
def test_every_column_is_documented(table: str) -> None:
    section = README.split(f"### `{table}`")[1].split("###")[0]
    for column, (_, meaning) in COLUMNS[table].items():
        assert f"| `{column}` | {meaning} |" in section, f"{table}.{column}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    assert f"`gradsum {command}" in README
