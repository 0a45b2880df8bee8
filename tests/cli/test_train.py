"""`gradsum train` from the command line: what it prints where, where options come from, and how it ends."""

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import pytest

from engine.checkpoint import load
from engine.cli import main
from engine.cli.commands import SUMMARIES
from engine.errors import WorkerFailedError
from engine.records import read_run
from engine.settings import Settings
from tests.support.command import PATIENCE, SMALL, Gradsum, finish, save_data, start

KEYS = {
    *("run", "steps", "epochs", "workers", "params_sha256", "train_loss", "validation", "images_per_second"),
    *("wall_seconds", "db", "records_bytes", "checkpoint"),
}
PLACES = ("--db", "r.db", "--out", "out")


@pytest.fixture(autouse=True)
def data() -> str:
    return save_data()


def test_the_json_line_has_what_a_program_wants(gradsum: Gradsum) -> None:
    answer = gradsum(*SMALL, *PLACES, "--epochs", 2, "--json")
    result = answer.json()
    assert result.keys() >= KEYS
    assert (answer.code, result["run"], result["steps"], result["epochs"], result["workers"]) == (0, 1, 10, 2.0, 0)
    assert (result["db"], result["checkpoint"]) == ("r.db", "out/step-00000010.safetensors")
    assert result["validation"].keys() == {"correct", "total", "percent", "loss"}
    assert result["validation"]["percent"] == 100 * result["validation"]["correct"] / result["validation"]["total"]
    assert len(result["params_sha256"]) == 64
    assert min(result["train_loss"], result["images_per_second"], result["wall_seconds"]) > 0


def test_progress_goes_to_standard_error_and_the_summary_to_standard_output(gradsum: Gradsum) -> None:
    answer = gradsum(*SMALL, *PLACES, "--epochs", 1)
    assert answer.err.splitlines()[:2] == ["loading ...", "preparing data and model ..."]
    assert "run 1: mlp (" in answer.err
    assert "40 data, this process" in answer.err
    assert "validation after step 5:" in answer.err
    first, _, records, checkpoint, best, test = answer.out.splitlines()
    assert first.endswith("of 12 data) after 5 steps")
    assert re.fullmatch(r"records     r\.db \(run 1, \d+(\.\d+)? (kB|MB)\)", records)
    assert checkpoint == "checkpoint  out/step-00000005.safetensors"
    assert best == f"best        out/step-00000005.safetensors ({first.split()[0]} % correct after step 5)"
    assert test == "test        none: what was chosen by is not a test (--validation 0.1 leaves a part to test with)"


def test_quiet_means_no_progress(gradsum: Gradsum) -> None:
    answer = gradsum(*SMALL, *PLACES, "--epochs", 1, "--quiet")
    assert answer.err == ""
    assert len(answer.out.splitlines()) == 6


def test_the_result_does_not_depend_on_the_number_of_workers(gradsum: Gradsum) -> None:
    serial = gradsum(*SMALL, "--db", "0.db", "--steps", 6, "--json", "--quiet").json()
    parallel = gradsum(*SMALL, "--db", "2.db", "--steps", 6, "--json", "--quiet", "--workers", 2).json()
    assert parallel["params_sha256"] == serial["params_sha256"]
    assert (parallel["workers"], serial["workers"]) == (2, 0)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_every_optimizer_can_be_named(gradsum: Gradsum, optimizer: str) -> None:
    assert gradsum(*SMALL, *PLACES, "--steps", 1, "--optimizer", optimizer).code == 0
    assert load(Path("out")).run.settings["optimizer"] == optimizer


def test_all_settings_reach_the_run(gradsum: Gradsum) -> None:
    given = {
        "batch_size": 7, "microbatch": 3, "optimizer": "momentum", "lr": 0.25, "momentum": 0.5, "beta1": 0.8,
        "beta2": 0.9, "epsilon": 1e-6, "epochs": 1, "steps": 2, "time_limit": 100.0, "target": 99.5, "dropout": 0.25,
        "augment": True, "seed": 77, "validate_every": 2, "checkpoint_every": 1, "workers": 0,
    }  # fmt: skip
    options = [f"--{name.replace('_', '-')}={value}" for name, value in given.items() if name != "augment"]
    assert gradsum(*SMALL, *PLACES, *options, "--augment").code == 0
    settings = load(Path("out")).run.settings
    assert given.items() <= settings.items()
    assert settings.keys() == {field.name for field in fields(Settings)}


def test_options_from_a_file_give_way_to_those_of_the_command_line(gradsum: Gradsum) -> None:
    Path("c.toml").write_text(
        'data = "data.npz"\nmodel = "mlp"\ndb = "c.db"\nout = "c"\nworkers = 0\nlr = 1\nbatch-size = 5\n'
        "microbatch = 2\nsteps = 9\naugment = true\njson = true\nquiet = true\n"
    )
    answer = gradsum("train", "--config", "c.toml", "--lr", 0.5, "--steps", 2, "--no-augment")
    assert (answer.code, answer.err) == (0, "")
    assert (answer.json()["steps"], answer.json()["db"]) == (2, "c.db")
    settings = load(Path("c")).run.settings
    expected = {"lr": 0.5, "steps": 2, "augment": False, "batch_size": 5, "microbatch": 2}
    assert expected.items() <= settings.items()


def test_a_file_can_say_what_to_resume(gradsum: Gradsum) -> None:
    gradsum(*SMALL, *PLACES, "--steps", 2)
    Path("c.toml").write_text('resume = "out"\nsteps = 3\n')
    assert gradsum("train", "--config", "c.toml", "--json").json()["steps"] == 3


def test_help_has_every_option(gradsum: Gradsum) -> None:
    answer = gradsum("train", "--help")
    assert (answer.code, answer.err) == (0, "")
    for name in (*(field.name for field in fields(Settings)), "data", "model", "db", "out", "resume", "config"):
        assert re.search(rf"^  --{name.replace('_', '-')}[ ,]", answer.out, re.MULTILINE), name
    assert "--quiet" in answer.out
    assert "--json" in answer.out


@pytest.mark.parametrize("command", [*SUMMARIES, ""])
def test_every_command_has_help(gradsum: Gradsum, command: str) -> None:
    answer = gradsum(*command.split(), "--help")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"usage: {' '.join(['gradsum', *command.split()])} ")


def test_the_version(gradsum: Gradsum) -> None:
    answer = gradsum("--version")
    assert answer.code == 0
    assert answer.out.startswith("gradsum 0.")


def test_help_does_not_wait_for_kernels_to_be_imported(tidy: Path) -> None:
    program = (
        "import sys; from engine.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print(*(name for name in ('rich', 'numba', 'scipy', 'sqlite_utils', 'PIL', 'zmq') if name in sys.modules))"
    )
    for arguments in (["train", "--help"], ["train", "--lr", "nan"], ["evaluate", "-h"]):
        command = [sys.executable, "-c", program, *arguments]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
        assert answer.stdout.splitlines()[-1] == "", f"{arguments} import {answer.stdout.splitlines()[-1]}"


def test_a_reader_that_leaves_is_no_error(tidy: Path, gradsum: Gradsum) -> None:
    gradsum(*SMALL, *PLACES, "--steps", 1)
    for command in (["runs", "--db", "r.db"], ["train", "--help"], [*SMALL, "--db", "r.db", "--steps", "1"]):
        process = start(*command)
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        answer = finish(process)
        assert answer.code in (0, 141)  # argparse, which prints help, has an end of its own
        assert "rror" not in answer.err


def test_a_table_without_a_reader_ends_as_a_shell_expects(tidy: Path, gradsum: Gradsum) -> None:
    for _ in range(2):
        gradsum(*SMALL, "--db", "r.db", "--steps", 1)
    for command in (["runs"], ["show", "1"], ["compare", "1", "2"], ["inspect", "mlp"]):
        process = start(*command, *(["--db", "r.db"] if command[0] != "inspect" else []))
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        answer = finish(process)
        assert (answer.code, answer.err) == (141, "")


def test_a_watcher_that_leaves_does_not_end_the_run(tidy: Path) -> None:
    process = start(*SMALL, *PLACES, "--epochs", 3)
    assert process.stderr is not None
    process.stderr.close()
    process.stderr = None
    answer = finish(process)
    assert answer.code == 0
    assert "after 15 steps" in answer.out


def test_a_full_disk_under_standard_output_is_said(gradsum: Gradsum) -> None:
    gradsum(*SMALL, *PLACES, "--steps", 1)
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    program = "import sys; from engine.cli import main; sys.exit(main())"
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-c", program, "runs", "--db", "r.db", "--csv"]
        answer = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
    assert answer.returncode == 1
    assert answer.stderr.startswith("gradsum: ")
    assert "Traceback" not in answer.stderr


def test_a_run_that_diverges_ends_with_1_and_says_where(gradsum: Gradsum) -> None:
    answer = gradsum(*SMALL, *PLACES, "--optimizer", "sgd", "--lr", 1e30, "--epochs", 9)
    assert answer.code == 1
    last = answer.err.splitlines()[-1]
    assert last.startswith("gradsum: step ")
    assert "out/step-" in last
    assert "Traceback" not in answer.err
    [run] = json.loads(gradsum("runs", "--db", "r.db", "--json").out)
    assert run["state"] == "failed"


def test_too_little_memory_is_said(gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise MemoryError("Unable to allocate 3.64 TiB")

    monkeypatch.setattr("engine.cli.commands.runs.list_runs", fail)
    answer = gradsum("runs")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("gradsum: there is not enough memory (Unable to allocate 3.64 TiB); a smaller model")


def test_resuming_a_finished_run_leaves_its_record_alone(gradsum: Gradsum) -> None:
    gradsum(*SMALL, *PLACES, "--steps", 3)
    before = gradsum("runs", "--db", "r.db", "--json").out
    assert gradsum("train", "--resume", "out").code == 2
    assert gradsum("runs", "--db", "r.db", "--json").out == before


def test_resuming_a_run_that_reached_its_target_says_that_nothing_is_left(gradsum: Gradsum) -> None:
    gradsum(*SMALL, *PLACES, "--target", 1, "--validate-every", 1)
    answer = gradsum("train", "--resume", "out")
    assert answer.code == 0
    assert answer.out.splitlines()[0].startswith("No step was taken: validation reached the target of 1 %.")


def test_a_copied_checkpoint_is_resumed_on_another_machine(gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other machine has neither the database nor the data where they were."""
    whole = gradsum(*SMALL, "--db", "whole.db", "--out", "whole", "--steps", 7, "--quiet", "--json").json()
    Path("here").mkdir()
    monkeypatch.chdir("here")
    save_data()
    assert gradsum(*SMALL, "--steps", 4, "--quiet").code == 0
    monkeypatch.chdir("..")
    [copied] = (path for path in Path("here/runs").iterdir() if path.is_dir())
    copied.rename("copied")
    shutil.rmtree("here")
    Path("there").mkdir()
    monkeypatch.chdir("there")
    resume = ("train", "--resume", "../copied", "--steps", 7, "--json")
    lost = gradsum(*resume)
    assert (lost.code, list(Path().iterdir())) == (2, [])
    assert "here/data.npz, which is not there; give the same data with --data" in lost.err
    done = gradsum(*resume, "--data", "../data.npz")
    assert (done.code, done.json()["params_sha256"]) == (0, whole["params_sha256"])
    record = read_run("runs/gradsum.db", "1")
    said = f"run {copied.name[-6:]} is new to database runs/gradsum.db, without its first 4 steps; they are in "
    assert said in done.err
    assert (record.run["state"], record.run["steps"], record.run["uuid"][:6]) == ("finished", 7, copied.name[-6:])
    [event] = (event for event in record.events if event["kind"] == "resumed")
    assert event["text"].startswith(said)
    again = gradsum("train", "--resume", "../copied", "--steps", 8)
    assert (again.code, "is new to" in again.err) == (0, False)


def test_a_run_can_be_resumed_from_another_folder(gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gradsum(*SMALL, "--db", "whole.db", "--steps", 7, "--json").json()
    gradsum(*SMALL, *PLACES, "--steps", 4)
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    rest = gradsum("train", "--resume", "../out", "--steps", 7, "--json", "--workers", 1).json()
    assert (rest["run"], rest["params_sha256"]) == (1, whole["params_sha256"])
    assert list(Path().iterdir()) == []


def test_a_damaged_newest_checkpoint_is_passed_over_and_said(gradsum: Gradsum) -> None:
    gradsum(*SMALL, *PLACES, "--steps", 4, "--checkpoint-every", 2)
    Path("out/step-00000004.safetensors").write_bytes(b"")
    answer = finish(start("train", "--resume", "out", "--steps", 5))
    assert answer.code == 0
    [said] = [line for line in answer.err.splitlines() if line.startswith("gradsum: ")]
    assert "step-00000004" in said
    assert "using out/step-00000002" in said


def test_names_that_are_no_text_can_be_printed(tidy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")
    folder = b"\xff\xfe"
    process = start(*SMALL, "--db", os.fsdecode(folder) + "/r.db", "--steps", 1, text=False)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert b"records     \xff\xfe/r.db" in out


def test_what_a_worker_said_is_shown_before_what_it_means(gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise WorkerFailedError("worker w1 failed", "Traceback (most recent call last):\nValueError: no")

    monkeypatch.setattr("engine.cli.commands.runs.list_runs", fail)
    answer = gradsum("runs")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.splitlines() == [
        "The worker's own traceback:",
        "Traceback (most recent call last):",
        "ValueError: no",
        "gradsum: worker w1 failed",
    ]


def test_a_command_can_run_in_any_thread(gradsum: Gradsum) -> None:
    gradsum(*SMALL, *PLACES, "--steps", 1)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(main, ["runs", "--db", "r.db", "--json"]).result() == 0
        assert pool.submit(main, list(map(str, [*SMALL, "--db", "r.db", "--steps", 1, "--quiet"]))).result() == 0


def test_closed_streams_are_no_trap(tidy: Path) -> None:
    program = (
        "import os, sys; [os.close(n) for n in range(3)]; sys.stdout = sys.stderr = None\n"
        "from engine.cli import main; sys.exit(main())"
    )
    arguments = map(str, [*SMALL, *PLACES, "--steps", 2, "--workers", 1])
    assert subprocess.run([sys.executable, "-c", program, *arguments], timeout=PATIENCE, check=False).returncode == 0
    assert load(Path("out")).step == 2
