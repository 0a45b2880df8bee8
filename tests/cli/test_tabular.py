"""Tables of features from the command line: train, look at the records, evaluate, predict, sweep."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import engine
from engine.cli.commands.evaluate import root_mean_squared_errors
from engine.cli.tables import print_json_line
from engine.records import list_runs
from engine.system.places import cache_folder
from tests.support.command import Gradsum

RNG = np.random.default_rng(2)
X = RNG.normal(5, 2, (300, 2))
PRICE = 40 * X[:, 0] - 15 * X[:, 1] + 1000


def table(path: Path, target: str, values: object) -> None:
    rows = [f"{a!r},{b!r},{v}" for (a, b), v in zip(X.tolist(), list(values), strict=True)]  # type: ignore[call-overload]
    path.write_text("\n".join([f"size,age,{target}", *rows]))


@pytest.fixture(autouse=True)
def homes() -> None:
    table(Path("homes.csv"), "price", PRICE.tolist())


def test_answers_that_are_no_numbers_are_null_in_json(
    gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ("train", "--data", "homes.csv", "--workers", "0", "--steps", "20", "--out", "out", "--quiet")
    assert gradsum(*run).code == 0
    monkeypatch.setattr(engine.Network, "logits", lambda _, inputs: np.full((len(inputs), 1), np.nan, np.float32))
    told = json.loads(gradsum("predict", "out", "homes.csv", "--json").out, parse_constant=pytest.fail)
    assert told[0] == {"row": "homes.csv[0]", "values": {"price": None}}
    print_json_line({"loss": float("inf"), "more": (1.0, float("nan"))})
    assert capsys.readouterr().out == '{"loss": null, "more": [1.0, null]}\n'


def test_a_run_without_a_validation_is_drawn_as_what_it_is(gradsum: Gradsum) -> None:
    run = ("train", "--data", "homes.csv", "--workers", "0", "--steps", "20", "--quiet", "--db", "r.db")
    for number in (1, 2):
        assert gradsum(*run, "--out", f"out{number}").code == 0
    with closing(sqlite3.connect("r.db")) as connection, connection:
        connection.execute("DELETE FROM validation WHERE startID = 2")
        connection.execute("UPDATE validation SET r2 = NULL")
    for which in (("1", "2"), ("2",)):
        drawn = gradsum("plot", "progress", "--run", *which, "--db", "r.db", "--out", "p.png")
        assert drawn.code == 0, drawn.err
    assert "% correct" not in gradsum("show", "1", "--db", "r.db").out


def test_errors_are_averaged_in_float64() -> None:
    network: Any = SimpleNamespace(values=1, predict=lambda inputs: inputs)
    part: Any = SimpleNamespace(inputs=np.full((2_000_000, 2), 1e20, np.float32), targets=np.zeros((), np.float32))
    assert root_mean_squared_errors(network, part) == pytest.approx([1e20, 1e20], rel=1e-6)


def test_a_table_from_beginning_to_end(gradsum: Gradsum) -> None:
    done = gradsum("train", "--data", "homes.csv", "--workers", "0", "--epochs", "40", "--lr", "0.01", "--out", "out")
    assert done.code == 0, done.err
    assert "target: column price, the last one; choose another with target-column" in done.err
    assert "regression from 2 features, because the target price holds floats" in done.err
    assert "held out a sixth of the rows for testing: 50 of 300" in done.err
    assert "validation after step 160: R² 1.0000" in done.err
    assert "%" not in done.err + done.out
    assert done.out.startswith("R² 1.0000 (50 rows of homes) after 160 steps")
    assert " rows/s with no workers" in done.out
    measured = gradsum("evaluate", "out", "--json")
    assert json.loads(measured.out)["r2"] > 0.9
    assert "root mean squared error of price " in gradsum("evaluate", "out").out
    assert "best_r2" in gradsum("show", "1").out
    assert "R² 1.0000" in gradsum("runs").out
    Path("asked.csv").write_text("age,name,size\n5,a,5\n6,b,4\n")
    told = json.loads(gradsum("predict", "out", "asked.csv", "--json").out)
    assert [row["row"] for row in told] == ["asked.csv[0]", "asked.csv[1]"]
    assert told[0]["values"]["price"] == pytest.approx(1125, abs=15)
    assert told[1]["values"]["price"] == pytest.approx(1070, abs=15)
    plotted = gradsum("plot", "progress", "--run", "1", "--out", "p.png")
    assert plotted.code == 0, plotted.err
    page = gradsum("report", "1", "--out", "page.html")
    assert page.code == 0, page.err
    assert "best R²" in Path("page.html").read_text()


def test_words_and_another_target(gradsum: Gradsum) -> None:
    table(Path("kinds.csv"), "kind", np.where(PRICE > 1125, "dear", "cheap").tolist())
    options = ("--workers", "0", "--epochs", "20", "--quiet")
    done = gradsum("train", "--data", "kinds.csv", *options, "--out", "out")
    assert "% correct (" in done.out
    drawn = gradsum("plot", "confusion", "out", "--out", "c.png")
    assert drawn.code == 0, drawn.err
    assert gradsum("predict", "out", "kinds.csv").out.splitlines()[0].split()[1] in ("dear", "cheap")
    done = gradsum("train", "--data", "homes.csv", "--target-column", "age", *options, "--out", "age", "--json")
    told = json.loads(done.out.splitlines()[-1])
    assert told["validation"].keys() == {"total", "r2", "loss"}
    assert told["best"].keys() == {"step", "r2", "loss", "checkpoint"}
    assert f"(R² {told['best']['r2']:.4f} after step {told['best']['step']})" in done.out
    [run] = list_runs("runs/gradsum.db")[1:]
    assert (run["best_r2"], run["best_step"], run["last_r2"]) == (
        told["best"]["r2"],
        told["best"]["step"],
        told["validation"]["r2"],
    )
    evaluated = json.loads(gradsum("evaluate", "age", "--best", "--json").out)["r2"]
    assert evaluated == pytest.approx(
        told["best"]["r2"], rel=1e-6
    )  # bits of BLAS depend on how many are computed at once
    assert gradsum("evaluate", "age").out.splitlines()[-1].startswith("root mean squared error of age")
    resumed = gradsum("train", "--resume", "age", "--epochs", "21", "--quiet")
    assert resumed.code == 0, resumed.err


def test_a_sweep_ranks_by_r2(gradsum: Gradsum) -> None:
    done = gradsum("sweep", "--data", "homes.csv", "--over", "lr=1e-6,1e-2", "--sampler", "grid", "--epochs", "10",
                   "--workers", "0", "--json")  # fmt: skip
    assert done.code == 0, done.err
    found = json.loads(done.out.splitlines()[-1])
    values = [trial["value"] for trial in found["trials"]]
    assert found["best"]["value"] == max(values) > 0.5 > min(values)
    assert "R²" in done.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--target-column", "prize"), "no column 'prize' to be the target; there are size, age, price"),
        (("--task", "guess"), "task must be classification or regression"),
        (("--model", "lenet"), "lenet: c1: Conv2d needs images"),
        (("--model", "soft.toml"), "softmax_cross_entropy cannot learn"),
        (("--augment",), "augment moves images"),
        (("--target", "95"), "target must be an R², at most 1"),
        (("--data", "letters", "--task", "regression"), "letters: task is for features"),
    ],
)
def test_what_does_not_suit_is_refused_before_anything_is_written(
    options: tuple[str, ...], said: str, gradsum: Gradsum
) -> None:
    Path("soft.toml").write_text('loss = "softmax_cross_entropy"\n[[layers]]\ntype = "Dense"\nfeatures = 1\n')
    done = gradsum("train", "--data", "homes.csv", "--workers", "0", "--steps", "1", *options)
    assert (done.code, done.out) == (2, "")
    assert said in done.err.splitlines()[-1]
    assert "Traceback" not in done.err
    assert not Path("runs").exists()
    assert not [path for path in cache_folder().glob("*") if ".part" in path.name or path.name.endswith(".tmp")]
