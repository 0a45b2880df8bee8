"""The defaults that help states are those that a run has on record, for every command that trains."""

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import fields
from typing import Any

from engine.cli.run_options import option_of
from engine.settings import Settings
from engine.system.cores import usable_cores
from tests.support.command import Gradsum, finish, save_data, start
from tests.support.remote import printed, worker

PER_CORE = "one per core, but no more than a batch has micro-batches"  # a batch of the default size has eight
ALONE = ("--data", "data.npz", "--model", "mlp", "--quiet", "--db", "r.db", "--out", "out")


def stated(gradsum: Gradsum, command: str) -> dict[str, str]:
    """Return the default of every option as the help of `command` has it, "" where it states none."""
    found = {}
    for option in re.split(r"\n  (?=-)", gradsum(command, "--help").out)[1:]:
        text = " ".join(option.partition("\n\n")[0].split())
        default = re.search(r"\(default: (.*)\)$", text)
        found[re.split(r"[ ,]", text)[0]] = default[1] if default else ""
    return found


def recorded(table: str) -> dict[str, Any]:
    with closing(sqlite3.connect("r.db")) as db:
        db.row_factory = sqlite3.Row
        return dict(db.execute(f"SELECT * FROM {table} LIMIT 1").fetchone())  # noqa: S608


def differing(help_: dict[str, str], settings: dict[str, Any]) -> list[str]:
    """Return what help says otherwise than `settings`."""
    in_words = {
        PER_CORE: min(usable_cores(), 8),
        "8, or 16 for batches of 256 or more": 8,
        "3 if nothing else ends the run": 3,
        "sgd 0.01, momentum 0.01, nesterov 0.01, rmsprop 0.01, adam 0.001, adamw 0.001": 0.001,  # adam's: the default
        "adamw 0.01, others 0": 0,
        "once an epoch": 0,
        "never": 0,
        "once an epoch, at least every 5 minutes": 0,
        "256; no limit if --snapshot-every is given": 256,
    }
    wrong = []
    for f in fields(Settings):
        said, real = help_[option_of(f.name)], settings[f.name]
        if isinstance(real, bool):
            same = said == ("on" if real else "off")
        elif isinstance(real, str):
            same = said == real
        elif real is None:  # "all", or nothing at all: never a number that a run would not have
            same = not re.fullmatch(r"[\d.e-]+", said)
        else:
            same = float(in_words.get(said, said or "nan")) == real
        if not same:
            wrong.append(f"{option_of(f.name)}: help says {said!r}, the run had {real!r}")
    return wrong


def test_train(gradsum: Gradsum) -> None:
    save_data()
    assert gradsum("train", *ALONE).code == 0
    help_ = stated(gradsum, "train")
    assert differing(help_, json.loads(recorded("runs")["settings"])) == []
    assert help_["--workers"] == PER_CORE
    assert help_["--snapshot-first"] == help_["--snapshot-every"] == "32"


def test_coordinator(gradsum: Gradsum) -> None:
    save_data()
    process = start("coordinator", *ALONE, "--bind", "tcp://127.0.0.1:0")
    with worker(printed(process)):
        assert finish(process).code == 0
    help_ = stated(gradsum, "coordinator")
    settings = json.loads(recorded("runs")["settings"]) | {"bind": None}
    assert differing(help_, settings) == []
    assert help_["--workers"] == "0"


def test_sweep(gradsum: Gradsum) -> None:
    save_data()
    assert gradsum("sweep", *ALONE, "--workers", 0, "--over", "lr=0.001:0.01").code == 0
    help_ = stated(gradsum, "sweep")
    settings = json.loads(recorded("runs")["settings"]) | {"lr": 0.001, "workers": min(usable_cores(), 8)}
    assert differing(help_, settings) == []
    assert help_["--snapshot-first"] == help_["--snapshot-every"] == "0"
    sweep = recorded("sweeps")
    assert help_["--trials"] == f"{sweep['trials']}, or all of a grid"
    assert help_["--sampler"] == sweep["sampler"]
    assert help_["--prune-after"] == str(sweep["prune_after"])
