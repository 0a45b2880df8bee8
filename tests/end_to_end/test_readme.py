"""README says what is there: its example runs, every option, column and command is in it."""

import re
from pathlib import Path

import pytest

from engine.cli.command import load
from engine.cli.commands import SUMMARIES
from engine.records import COLUMNS, VIEWS
from engine.sweeps.space import NAMES
from tests.support.repository import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    [example] = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102
    said = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\d+ % of 4000 correct", said[0])
    assert int(said[0].split()[0]) > 50, "200 steps are enough to read more than half of the letters"
    assert len(said[1].split(",")) == 5


def test_the_model_example_is_a_model(tmp_path: Path) -> None:
    from engine.nn.model import load_model

    [example] = re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL)
    (tmp_path / "model.toml").write_text(example, encoding="utf-8")
    model = load_model(str(tmp_path / "model.toml"), (28, 28, 1), 26)
    assert model.classes == 26


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_every_option_is_documented(command: str) -> None:
    documented = set(re.findall(r"`(--[a-z0-9-]+)`", README))
    for action in load(command).parser()._actions:
        for option in action.option_strings:
            if option.startswith("--") and option != "--help" and action.help != "==SUPPRESS==":
                assert option in documented, f"{option} is not in README"
                assert action.help, f"{option} has no help"


def test_what_can_be_swept_over_is_documented() -> None:
    section = README.split("## Sweeps")[1].split("\n## ")[0]
    for name in NAMES:
        assert f"`{name}`" in section
    for option in ("over", "trials", "sampler", "prune-after", "name", "resume"):
        assert f"| `--{option}` |" in section


@pytest.mark.parametrize("command", ["plot", "demo"])
def test_every_kind_of_picture_and_its_options_are_documented(command: str) -> None:
    section = README.split("## Pictures")[1].split("\n## ")[0]
    [kinds] = [action for action in load(command).parser()._actions if isinstance(action.choices, dict)]
    for kind, parser in kinds.choices.items():  # type: ignore[union-attr]
        assert f"`gradsum {command} {kind}" in section
        for action in parser._actions:
            assert action.help, f"{kind} {action.dest} has no help"
            for option in set(action.option_strings) - {"-h", "--help"}:
                assert f"`{option}`" in section, f"{option} of {command} {kind} is not in README"


def test_every_picture_is_there_and_small() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert len(pictures) == len(set(pictures)) > 3
    for picture in pictures:
        path = ROOT / picture
        assert path.read_bytes().startswith(b"\x89PNG"), picture
        assert path.stat().st_size < 150_000, picture


@pytest.mark.parametrize("table", COLUMNS)
def test_every_column_is_documented(table: str) -> None:
    section = README.split(f"### `{table}`")[1].split("###")[0]
    for column, (_, meaning) in COLUMNS[table].items():
        assert f"| `{column}` | {meaning} |" in section, f"{table}.{column}"


@pytest.mark.parametrize("command", SUMMARIES)
def test_every_command_is_documented(command: str) -> None:
    assert f"`gradsum {command}" in README


@pytest.mark.parametrize("view", VIEWS)
def test_every_column_of_a_view_is_documented(view: str) -> None:
    section = README.split(f"### `{view}`")[1].split("###")[0]
    for column, meaning in VIEWS[view].items():
        assert f"| `{column}` | {meaning} |" in section, f"{view}.{column}"
