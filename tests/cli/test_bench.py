"""`gradsum bench`: one small real study, and the arithmetic of its table and picture on figures that are given."""

import argparse
import errno
import json
import signal
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colors
from PIL import Image

from engine.bench import measure as bench_measure
from engine.bench.case import Case, Subject
from engine.bench.measure import side_by_side
from engine.cli.exit_codes import INTERRUPTED
from engine.cli.picture_options import check_place
from engine.errors import WorkersError
from engine.records import Recorder
from engine.reports.plots import speedup, style
from engine.system.cores import usable_cores
from engine.system.processes import hostname
from engine.training.reporter import Reporter
from engine.training.step_times import WARM_UP
from tests.support.command import Answer, Gradsum, finish, save_data, start
from tests.support.remote import printed, worker

PARTS = ("compute", "wire", "reduce", "optimizer", "other")
Calls = list[tuple[int, int, int]]


def table(answer: Answer) -> list[dict[str, str]]:
    """Return the rows of the Markdown table that was printed."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in answer.out.splitlines() if "|" in line]
    assert set(lines[1]) == {"---"}
    return [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Let measurements take no time. A step of B samples on w workers: compute B / w ms, and 4 + 2 + 1 + 1 ms more.

    Round r is slower by a factor of r, and so is all of it: this cancels in every ratio of a round.
    """
    asked: Calls = []

    def measure(_: object, case: Case, steps: int, __: object) -> dict[str, float]:
        workers, batch = case.workers, case.batch
        round_ = 1 + sum(call[:2] == (workers, batch) for call in asked)
        asked.append((workers, batch, steps))
        compute = round_ * batch / max(workers, 1)
        rest = {"wire": 4.0, "reduce": 2.0, "optimizer": 1.0, "other": 1.0} if workers else dict.fromkeys(PARTS, 0.0)
        parts = {"compute": compute} | {part: round_ * rest[part] for part in PARTS[1:]}
        return {"images_per_second": 1000 * batch / sum(parts.values()), "parameters": 250_000} | parts

    monkeypatch.setattr(bench_measure, "measure", measure)
    monkeypatch.setattr(bench_measure, "side_by_side", lambda _, case, __, count, ___: 900.0 * count * 64 / case.batch)
    return asked


def test_a_real_study(gradsum: Gradsum) -> None:
    answer = gradsum("bench", "--workers", 2, "--batch-size", 16, "--images", 1, "--rounds", 1, "--json")
    assert (answer.code, len(answer.out.splitlines())) == (0, 1)
    found = answer.json()
    assert (found["cores"], found["weak"]) == (usable_cores(), False)
    assert [(row["workers"], row["batch"]) for row in found["rows"]] == [(0, 16), (2, 16)]
    for row in found["rows"]:
        rate, whole = row["images_per_second"], sum(row[part] for part in PARTS)
        assert 16 * 1000 / rate == pytest.approx(whole, rel=0.02), "the parts make up the step"
        assert row["compute"] > 0
        assert (row["wire"] > 0) == (row["workers"] > 0)
        assert row["speedup"] == row["slowest"] == row["fastest"] == rate / found["rows"][0]["images_per_second"]


def test_all_take_turns_and_every_run_has_ten_steps_at_least_that_count(gradsum: Gradsum, calls: Calls) -> None:
    gradsum("bench", "--workers", 2, 1, 2, "--batch-size", 64, 8, 64, "--images", 320, "--rounds", 2)
    sizes = [(64, WARM_UP + 10), (8, WARM_UP + 40)]
    assert calls == [(w, batch, steps) for batch, steps in sizes for w in (0, 1, 2)] + calls[:6]
    assert len(calls) == 12


def test_the_numbers_of_workers_go_up_to_the_cores(
    gradsum: Gradsum, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.system.cores.usable_cores", lambda: 6)
    gradsum("bench", "--batch-size", 8, "--rounds", 1)
    assert [workers for workers, _, _ in calls] == [0, 1, 2, 4, 6]


def test_strong_scaling(gradsum: Gradsum, calls: Calls) -> None:
    rows = table(gradsum("bench", "--workers", 1, 4, "--batch-size", 64, "--images", 640, "--rounds", 3))
    # The median round is the second, in which all takes twice as long: 128 ms, 128 + 16 and 32 + 16.
    assert [row["images/s"] for row in rows] == ["500", "444", "1,333"]
    assert [row["speed-up"] for row in rows] == ["1.00", f"{128 / 144:.2f}", f"{128 / 48:.2f}"]
    assert [row["limit"] for row in rows] == ["", f"{64 / 72:.2f}", f"{64 / (8 + 64 / 4):.2f}"]
    assert [row["compute ms"] for row in rows] == ["128.00", "128.00", "32.00"]
    assert [rows[1][f"{part} ms"] for part in PARTS[1:]] == ["8.00", "4.00", "2.00", "2.00"]


def test_weak_scaling(gradsum: Gradsum, calls: Calls) -> None:
    answer = gradsum("bench", "--workers", 1, 4, "--batch-size", 64, "--images", 2560, "--rounds", 1, "--weak")
    assert calls == [(0, 64, WARM_UP + 40), (1, 64, WARM_UP + 40), (4, 256, WARM_UP + 10)]
    rows = table(answer)
    assert [row["batch"] for row in rows] == ["64", "64", "256"]
    assert [row["speed-up"] for row in rows] == ["1.00", f"{64 / 72:.2f}", f"{4 * 64 / 72:.2f}"]
    assert [row["limit"] for row in rows] == ["", f"{64 / 72:.2f}", f"{4 * 64 / 72:.2f}"], "nothing else slows it down"


def test_without_one_worker_there_is_no_limit(gradsum: Gradsum, calls: Calls) -> None:
    rows = table(gradsum("bench", "--workers", 2, "--batch-size", 64, "--rounds", 1))
    assert all("limit" not in row for row in rows)


def test_the_spread_of_the_rounds(gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch) -> None:
    speeds = {0: [100.0, 200.0, 400.0], 1: [100.0, 300.0, 300.0]}
    nothing = dict.fromkeys(PARTS, 1.0)
    nothing["parameters"] = 1.0
    rates = lambda _, case, *__: {"images_per_second": speeds[case.workers].pop(0)} | nothing  # noqa: E731
    monkeypatch.setattr(bench_measure, "measure", rates)
    row = gradsum("bench", "--workers", 1, "--batch-size", 8, "--rounds", 3, "--json").json()["rows"][1]
    assert [row[key] for key in ("slowest", "speedup", "fastest")] == [0.75, 1.0, 1.5]
    assert row["images_per_second"] == 300


def coloured(path: Path, colour: str) -> int:
    """Count the pixels of a colour."""
    wanted = np.round(255 * np.array(colors.to_rgb(colour)))
    return int((np.asarray(Image.open(path).convert("RGB")) == wanted).all(axis=2).sum())


@pytest.mark.parametrize("form", [(), ("--json",), ("--weak",)])
def test_the_picture_is_a_png_with_a_line_for_each_batch(gradsum: Gradsum, calls: Calls, form: tuple[str, ...]) -> None:
    options = ("--workers", 1, 2, "--batch-size", 64, 256, "--rounds", 2, "--plot", "speed.png")
    answer = gradsum("bench", *options, *form)
    assert answer.code == 0
    assert ("plot    speed.png\n" in answer.err) == ("--json" in form)
    assert ("plot    speed.png\n" in answer.out) == ("--json" not in form)
    with Image.open("speed.png") as image:
        assert image.format == "PNG"
    for colour in (style.GREY, *style.COLOURS[:2]):
        assert coloured(Path("speed.png"), colour) > 100
    assert coloured(Path("speed.png"), style.COLOURS[2]) == 0


def test_what_is_drawn() -> None:
    names = ("study", "microbatch", "batch", "workers", "speedup", "slowest", "fastest", "limit")
    values = [
        (64, 16, 64, 0, 1.0, 1.0, 1.0, None),
        (64, 16, 64, 1, 0.9, 0.8, 1.1, 0.9),
        (64, 16, 64, 3, 2.0, 1.5, 2.5, 2.4),
    ]
    figure = speedup.draw([dict(zip(names, row, strict=True)) for row in values], what="mlp", weak=False, cores=2)
    [axis] = figure.axes
    drawn = [(np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()) for line in axis.lines]
    for line in (([0, 1, 3], [0, 1, 3]), ([1, 3], [0.9, 2.0]), ([1, 3], [0.9, 2.4])):
        assert line in drawn, "ideal, measured, limit"
    assert {text.get_text() for text in figure.legends[0].get_texts()} >= {"ideal", "batch 64"}
    assert any("limit" in text.get_text() for text in figure.legends[0].get_texts())
    assert [text.get_text().strip() for text in axis.texts] == ["2 cores"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--rounds 0", "--rounds must be at least 1, got 0"),
        ("--images 0", "--images must be at least 1, got 0"),
        ("--batch-size 64 0", "--batch-size must be at least 1, got 0"),
        ("--batch-size 99999999", "batch-size must be a whole number from 1 to 16777216, got 99999999"),
        ("--batch-size 9999999 --workers 4 --weak", "got 39999996"),
        ("--workers -1", "workers must be a whole number from 0 to 4096, got -1"),
        ("--workers 5000", "workers must be a whole number from 0 to 4096, got 5000"),
        ("--workers two", "invalid int value: 'two'"),
        ("--workers 0 --plot a.png", "give --workers a number above 0"),
        ("--bind tcp://*:5555", "--bind needs --workers with one number"),
        ("--bind tcp://*:5555 --workers 1 2", "--bind needs --workers with one number"),
        ("--bind tcp://*:0 --workers 1", "--bind tcp://*:0: give a port above 0"),
        ("--bind nowhere --workers 1", "'nowhere' is not an address"),
        ("--bind tcp://*:5555 --workers 1 --on ssh", "give one of them"),
        ("--bind tcp://*:5555 --workers 1 --key a --insecure", "--insecure needs no --key: give one of them"),
        ("--key a", "--key is for workers elsewhere: give --bind"),
        ("--insecure", "--insecure is for workers elsewhere: give --bind"),
        ("--save a.pdf", "--save a.pdf must end in .json; .pdf is another"),
        ("--plot a.doc", "--plot a.doc: a picture ends in .png, .svg, .pdf; .doc is not one"),
        ("--plot /proc/nowhere/a.png", "--plot /proc/nowhere/a.png cannot be written: No such file"),
    ],
)
def test_bad_usage_is_said_before_anything_is_measured(gradsum: Gradsum, calls: Calls, options: str, said: str) -> None:
    answer = gradsum("bench", *options.split())
    assert (answer.code, answer.out, calls) == (2, "", [])
    assert said in answer.err
    assert len(answer.err.splitlines()) == 1
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("name", ["r.db", "r.json"])
def test_a_database_is_not_replaced(gradsum: Gradsum, calls: Calls, name: str) -> None:
    with Recorder(name):
        pass
    answer = gradsum("bench", "--save", name)
    assert (answer.code, answer.out, calls) == (2, "", [])
    assert answer.err == f"gradsum: --save {name} would replace a database; name another file\n"


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_measured(
    gradsum: Gradsum, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.bench.result_file.default_path", lambda: Path("/proc/bench.json"))
    answer = gradsum("bench", "--workers", 1)
    assert (answer.code, answer.out, calls) == (2, "", [])
    assert answer.err.startswith("gradsum: the result /proc/bench.json cannot be written: ")


def test_a_result_that_cannot_be_kept_any_more_is_drawn_all_the_same(
    gradsum: Gradsum, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("engine.bench.result_file.write_atomically", full)
    answer = gradsum("bench", "--workers", 1, "--rounds", 1, "--plot", "a.png", "--save", "a.json")
    assert (answer.code, answer.err.splitlines()[-1]) == (
        (2, "gradsum: the result a.json cannot be written: No space left on device")
    )
    assert Path("a.png").exists()


def test_a_picture_without_matplotlib(gradsum: Gradsum, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    answer = gradsum("bench", "--plot", "a.png")
    assert (answer.code, calls) == (2, [])
    assert "pip install 'gradsum[plot]'" in answer.err


def test_a_picture_that_is_there_stays_until_there_is_a_new_one() -> None:
    Path("a.png").write_text("old")
    check_place(Path("a.png"))
    assert Path("a.png").read_text() == "old"


def test_ctrl_c_in_a_run_that_is_all_but_over(gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run counts as finished, but the study does not."""
    runs: list[int] = []

    def train(*_: object, reporter: Reporter, workers: int, **__: object) -> argparse.Namespace:
        runs.append(workers)
        if workers:
            reporter.interrupted()
        return argparse.Namespace(images_per_second=100.0, step_ms=dict.fromkeys(PARTS, 1.0))

    monkeypatch.setattr("engine.bench.measure.train", train)
    answer = gradsum("bench", "--workers", 1, "--batch-size", 64, "--save", "a.json")
    assert (answer.code, runs) == (INTERRUPTED, [0, 1])
    assert answer.err.splitlines()[-1] == "gradsum: interrupted"
    [row] = table(answer)
    assert (row["workers"], row["images/s"]) == ("0", "100")
    assert json.loads(Path("a.json").read_text())["complete"] is False


@pytest.mark.parametrize("due", [1, 3])
def test_ctrl_c_in_a_real_study(tidy: Path, due: int) -> None:
    study = ("--data", save_data(), "--model", "mlp", "--workers", 2, "--batch-size", 8, "--images", 4_000)
    process = start("bench", *study, "--save", "a.json")
    assert process.stderr
    while not (line := process.stderr.readline()).startswith(f"{due} of 15: "):
        assert line, "it ended"
    process.send_signal(signal.SIGINT)
    answer = finish(process)
    assert answer.code == INTERRUPTED, answer.err
    assert answer.err.endswith("gradsum: interrupted\n")
    shown = [row["workers"] for row in table(answer)] if answer.out else []
    assert shown == ["0", "2"] if due == 3 else shown in ([], ["0"]), "the first may have ended before the signal came"
    assert Path("a.json").exists() == bool(shown)


def test_runs_side_by_side_are_independent_and_leave_nothing_behind(tidy: Path) -> None:
    save_data()
    rate = side_by_side(Subject("mlp", "data.npz"), Case(8, 8, 4, 2), 20, 2, lambda: False)
    assert 0 < rate < 1e7
    assert list(tidy.iterdir()) == []


def test_a_run_side_by_side_that_fails_is_told(tidy: Path) -> None:
    with pytest.raises(WorkersError, match=r"a run without workers failed: .*nowhere\.npz"):
        side_by_side(Subject("mlp", "nowhere.npz"), Case(8, 8, 4, 2), 20, 2, lambda: False)


def test_the_result_is_kept_and_compared(gradsum: Gradsum, calls: Calls) -> None:
    study = ("bench", "--workers", 2, "--batch-size", 64, "--rounds", 1)
    assert gradsum(*study).code == 0
    [kept] = Path().glob("bench-*.json")
    found = json.loads(kept.read_text())
    assert found["complete"] is True
    assert set(found["machine"]) >= {"host", "processor", "cores", "arithmetic"}
    found["rows"] = [row | {"images_per_second": row["images_per_second"] / 2} for row in found["rows"][:1]]
    Path("half.json").write_text(json.dumps(found))
    calls.clear()
    rows = table(gradsum(*study, "--compare", "half.json", "--save", "b.json"))
    assert [row["before"] for row in rows] == ["2.00", ""]


def test_the_table_fits_into_a_terminal(gradsum: Gradsum, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")  # without bold headings
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    lines = gradsum("bench", "--workers", 1, 2, "--batch-size", 1024, "--rounds", 1).out.splitlines()
    [heading] = [line for line in lines if line.startswith("batch")]
    rows = [line for line in lines if line.startswith(" 1024")]
    assert len(rows) == 3, "with 0, 1 and 2 workers"
    assert len(heading) <= 80
    assert {len(line) for line in rows} == {len(heading)}, "aligned"


def test_other_studies_are_not_compared_with(gradsum: Gradsum, calls: Calls) -> None:
    assert gradsum("bench", "--workers", 2, "--batch-size", 64, "--rounds", 1, "--save", "a.json").code == 0
    calls.clear()
    answer = gradsum("bench", "--model", "mlp", "--compare", "a.json")
    assert (answer.code, answer.out, calls) == (2, "", [])
    said = "--compare a.json is of the usual model on letters: measure the same to compare"
    assert answer.err == f"gradsum: {said}\n"


def test_what_makes_a_comparison_doubtful_is_said_first(gradsum: Gradsum, calls: Calls) -> None:
    study = ("bench", "--workers", 1, "--rounds", 1, "--compare", "a.json")
    assert gradsum(*study[:-2], "--batch-size", 8, "--save", "a.json").code == 0
    assert "--compare" not in gradsum(*study, "--batch-size", 8).err
    answer = gradsum(*study, "--batch-size", 16)
    said = "--compare a.json: nothing can be compared: it has no such batch, micro-batch and number of workers"
    assert answer.err.splitlines()[0] == said
    found = json.loads(Path("a.json").read_text())
    Path("a.json").write_text(json.dumps(found | {"machine": found["machine"] | {"processor": "Z80"}}))
    answer = gradsum(*study, "--batch-size", 8)
    assert answer.err.startswith("--compare a.json: it is of another machine: processor Z80, here ")
    assert all(row["before"] for row in table(answer)), "it is compared all the same"


def test_the_usual_ones_may_be_named(gradsum: Gradsum, calls: Calls) -> None:
    study = ("bench", "--workers", 1, "--rounds", 1, "--batch-size", 8)
    assert gradsum(*study, "--save", "a.json").code == 0
    for named in (("--model", "letters"), ("--data", "letters"), ("--model", "letters", "--data", "letters")):
        assert gradsum(*study, *named, "--compare", "a.json", "--save", "b.json").code == 0
        assert gradsum(*study, "--compare", "b.json").code == 0


def test_a_result_of_another_version(gradsum: Gradsum, calls: Calls) -> None:
    Path("a.json").write_text('{"format": 2, "rows": []}')
    answer = gradsum("bench", "--compare", "a.json")
    assert (answer.code, answer.out, calls) == (2, "", [])
    assert answer.err == "gradsum: --compare a.json has format 2, and this version reads 1: measure again\n"


@pytest.mark.parametrize("text", ["", "[" * 200_000, "[]", "{}", '{"format": 1, "rows": [{}]}', '{"format": "2"}'])
def test_what_is_no_result_is_not_compared_with(gradsum: Gradsum, calls: Calls, text: str) -> None:
    Path("a.json").write_text(text)
    answer = gradsum("bench", "--compare", "a.json")
    assert (answer.code, answer.out, calls) == (2, "", [])
    assert answer.err == "gradsum: --compare a.json is not a result of gradsum bench\n"


def test_micro_batches_are_compared_and_the_best_is_named(gradsum: Gradsum, calls: Calls) -> None:
    answer = gradsum("bench", "--workers", 2, "--batch-size", 64, "--microbatch", 8, 16, "--rounds", 1)
    assert [row["micro-batch"] for row in table(answer)] == ["8", "8", "16", "16"]
    assert "best here for batch 64: micro-batch " in answer.out


def test_the_json_is_json(gradsum: Gradsum, calls: Calls) -> None:
    found = json.loads(gradsum("bench", "--workers", 1, "--batch-size", 64, "--rounds", 1, "--json", "--weak").out)
    assert found["weak"] is True
    assert [row["limit"] for row in found["rows"]] == [None, 64 / 72]


def test_workers_that_cannot_be_placed_are_told_before_anything_is_measured(gradsum: Gradsum) -> None:
    answer = gradsum("bench", "--on", "pbs")
    assert (answer.code, answer.out) == (2, "")
    assert "no launcher 'pbs'; there are here, ray, slurm, ssh" in answer.err


STUDY = ("--data", "data.npz", "--model", "mlp", "--batch-size", 8, "--images", 80, "--rounds", 2)


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def test_workers_elsewhere_are_measured_and_their_machines_named(tidy: Path) -> None:
    save_data()
    process = start("bench", *STUDY, "--bind", f"tcp://127.0.0.1:{free_port()}", "--workers", 2, "--save", "a.json")
    arguments = printed(process)
    with worker(arguments), worker(arguments):
        answer = finish(process)
    assert answer.code == 0, answer.err
    assert [row["workers"] for row in table(answer)] == ["0", "2"]
    assert f"workers elsewhere: 2 on {hostname()}" in answer.out.splitlines()
    assert "gradsum worker" not in answer.err, "the command is told once"
    found = json.loads(Path("a.json").read_text())
    assert found["machines"] == {hostname(): 2}
    assert found["rows"][1]["machine"] is None, "nothing is known of what other machines allow"


def test_what_a_run_waits_for_is_said_once(gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*_: object, reporter: Reporter, min_workers: int = 0, **__: object) -> argparse.Namespace:
        if min_workers:
            reporter.waiting("still waiting: 0 of 1 workers are there")
            reporter.notice("w1 left")
        return argparse.Namespace(images_per_second=100.0, step_ms=dict.fromkeys(PARTS, 1.0), workers=min_workers)

    monkeypatch.setattr("engine.bench.measure.train", train)
    answer = gradsum("bench", *STUDY, "--bind", "tcp://127.0.0.1:5555", "--workers", 1, "--insecure")
    assert answer.code == 0
    for said in ("still waiting: 0 of 1 workers are there", "w1 left"):
        assert answer.err.splitlines().count(said) == 1


def test_more_workers_elsewhere_than_are_measured(gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*_: object, min_workers: int = 0, **__: object) -> argparse.Namespace:
        return argparse.Namespace(images_per_second=100.0, step_ms=dict.fromkeys(PARTS, 1.0), workers=3 * min_workers)

    monkeypatch.setattr("engine.bench.measure.train", train)
    answer = gradsum("bench", *STUDY, "--bind", "tcp://127.0.0.1:5555", "--workers", 1, "--insecure")
    assert (answer.code, answer.out) == (1, "")
    assert "3 workers elsewhere computed, and --workers says 1: give the number of all that join" in answer.err
