"""Checkpoints come back as they were, or not at all with a clear error."""

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from engine.checkpoint import (
    Checkpoint,
    CheckpointWarning,
    DataState,
    RunState,
    hinted,
    later_steps,
    load,
    newest,
    params_sha256,
    prepare,
    remove,
    save,
)
from engine.checkpoint.content import Owner, owner_of
from engine.errors import CheckpointError
from engine.nn.built_in import letters
from tests.support.checkpoints import change_metadata, rewrite
from tests.support.command import PLAIN_PERSON
from tests.support.repository import ROOT

SHAPES = {"c1.filter": (4, 1, 3, 3), "c1.bias": (4,), "fc1.weights": (3, 16)}
RUN = RunState(uuid="u1", data=DataState("letters", classes=("a", "b"), generated=True), model={"layers": []})
CIRCULAR: dict[str, Any] = {}
CIRCULAR["itself"] = CIRCULAR
OLD = Path(__file__).parent / "format_1"  # written by the first version


def arrays(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}


def checkpoint(step: int = 100, run: str = "u1") -> Checkpoint:
    return Checkpoint(step, arrays(step), {"m": arrays(1), "v": arrays(2)}, replace(RUN, uuid=run))


def same(one: Checkpoint, two: Checkpoint) -> bool:
    def flat(c: Checkpoint) -> dict[tuple[str, str], tuple[tuple[int, ...], bytes]]:
        states = {"": c.parameters, **c.optimizer}
        return {(s, name): (a.shape, a.tobytes()) for s, values in states.items() for name, a in values.items()}

    return one.step == two.step and one.run == two.run and flat(one) == flat(two)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_comes_back_and_plain_safetensors_reads_it(tmp_path: Path) -> None:
    saved = checkpoint()
    path = save(tmp_path / "a" / "b", saved)
    assert path == tmp_path / "a" / "b" / "step-00000100.safetensors"
    assert same(load(path), saved)
    assert same(load(path.parent), saved)
    tensors = load_file(path)
    assert tensors.keys() == {f"{prefix}{n}" for n in SHAPES for prefix in ("", "optimizer.m.", "optimizer.v.")}
    assert all(tensors[n].tobytes() == saved.parameters[n].tobytes() for n in SHAPES)
    assert tensors["optimizer.v.c1.bias"].tobytes() == saved.optimizer["v"]["c1.bias"].tobytes()
    assert path.stat().st_mode & 0o777 == 0o666 & ~current_umask()
    assert names(path.parent) == [path.name]


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_arrays_of_any_memory_order_and_value(tmp_path: Path) -> None:
    odd = np.array([[np.nan, np.inf, -0.0], [1e-45, -np.inf, 3.4e38]], np.float32)
    saved = Checkpoint(0, {"a.x": odd.T, "b.x": odd[:, ::2], "c.x": np.array(2, np.float32)})
    loaded = load(save(tmp_path, saved))
    assert same(loaded, Checkpoint(0, {n: np.array(a, order="C") for n, a in saved.parameters.items()}))


def test_params_sha256_is_as_documented() -> None:
    layout = letters().layout()
    vector = layout.zeros()
    layout.initialise(vector, 5)
    parameters = dict(layout.public(vector))
    oracle = sha256(b"".join(np.array(parameters[n], "<f4", order="C").tobytes() for n in sorted(parameters)))
    assert params_sha256(parameters) == layout.sha256(vector) == oracle.hexdigest()


def test_the_last_ones_are_kept_and_later_steps_go(tmp_path: Path) -> None:
    for step in (10, 20, 30, 40):
        save(tmp_path, checkpoint(step), keep=2)
    assert names(tmp_path) == ["step-00000030.safetensors", "step-00000040.safetensors"]
    (tmp_path / "step-notes.txt").write_text("mine")
    save(tmp_path, checkpoint(35), keep=2)  # resumed from 30: what came after is another future
    assert names(tmp_path) == ["step-00000030.safetensors", "step-00000035.safetensors", "step-notes.txt"]
    assert newest(tmp_path).name == "step-00000035.safetensors"
    save(tmp_path, checkpoint(10**9), keep=1)
    assert newest(tmp_path).name == "step-1000000000.safetensors"


def test_a_folder_belongs_to_one_run(tmp_path: Path) -> None:
    path = save(tmp_path, checkpoint())
    prepare(tmp_path, "u1")
    for use in (lambda: prepare(tmp_path, "u2"), lambda: save(tmp_path, checkpoint(5, "u2"))):
        with pytest.raises(CheckpointError, match=r"holds checkpoints of another run .*step-00000100.*choose another"):
            use()
    assert same(load(path), checkpoint())
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="file for checkpoints cannot be made"):
        prepare(tmp_path / "file")


def test_a_hint_is_for_the_newest_checkpoint_of_the_run_itself(tmp_path: Path) -> None:
    def hint(run: str, last_step: int | None = None) -> list[str]:
        with pytest.raises(KeyboardInterrupt) as caught, hinted(tmp_path, run, last_step, KeyboardInterrupt):
            raise KeyboardInterrupt
        return getattr(caught.value, "__notes__", [])

    assert hint("u1") == []
    save(tmp_path, checkpoint(10))
    save(tmp_path, checkpoint(20)).write_bytes(b"")
    assert hint("u2") == []
    assert hint("u1") == [f"Resume from the checkpoint of step 10 with:\n  gradsum train --resume {tmp_path}"]
    assert hint("u1", 10) == [f"All 10 steps are done; the last checkpoint is {tmp_path / 'step-00000010.safetensors'}"]


def test_a_hint_is_a_command_that_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(Path("-out"), checkpoint())
    with pytest.raises(KeyboardInterrupt) as caught, hinted(Path("-out"), "u1", None, KeyboardInterrupt):
        raise KeyboardInterrupt
    assert caught.value.__notes__[0].endswith("gradsum train --resume ./-out")


def test_later_steps_are_those_that_going_on_from_an_earlier_one_removes(tmp_path: Path) -> None:
    for step in (10, 20, 30):
        save(tmp_path, checkpoint(step))
    assert later_steps(tmp_path, 10) == [20, 30]
    assert later_steps(tmp_path, 30) == later_steps(tmp_path / "none", 0) == []


def damage(path: Path, kind: str) -> None:
    content = path.read_bytes()
    if kind == "foreign":
        save_file(arrays(0), path)
    elif kind == "newer":
        rewrite(path, format="2")
    else:
        flipped = content[:-100] + bytes([content[-100] ^ 4]) + content[-99:]
        path.write_bytes({"text": b"hello " * 50, "empty": b"", "truncated": content[:-9], "flipped": flipped}[kind])


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("text", "is not a safetensors file, or damaged or cut short"),
        ("empty", "is not a safetensors file, or damaged or cut short"),
        ("truncated", "is not a safetensors file, or damaged or cut short"),
        ("flipped", "is damaged: its contents do not match its sha256"),
        ("foreign", "is a safetensors file, but not a checkpoint of gradsum"),
    ],
)
def test_a_damaged_file_is_named_and_an_earlier_one_stands_in(tmp_path: Path, kind: str, words: str) -> None:
    first, second = save(tmp_path, checkpoint(1)), save(tmp_path, checkpoint(2))
    damage(second, kind)
    with pytest.raises(CheckpointError, match=f"{re.escape(str(second))} {words}"):
        load(second)
    with pytest.warns(CheckpointWarning, match=f"{second.name} {words}.*using .*{first.name} instead"):
        assert same(load(tmp_path), checkpoint(1))
    damage(first, kind)
    with pytest.raises(CheckpointError, match=f"has no good checkpoint: .*{second.name} .*{first.name}"):
        load(tmp_path)


def test_a_newer_format_is_not_passed_over(tmp_path: Path) -> None:
    save(tmp_path, checkpoint(1))
    path = save(tmp_path, checkpoint(2))
    damage(path, "newer")
    for place in (path, tmp_path):
        with pytest.raises(CheckpointError, match="has format 2, this gradsum reads up to 1; update gradsum"):
            load(place)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metadata": "[1]"}, "metadata that is not a JSON object"),
        ({"metadata": "{"}, "metadata that is not a JSON object"),
        ({"metadata": "[" * 100_000}, "metadata that is not a JSON object"),
        ({"metadata": '{"run": 5}'}, "has run of the wrong type: 5"),
        ({"metadata": '{"data": []}'}, "has data of the wrong type"),
        ({"metadata": '{"data": {"classes": true}}'}, "has data.classes of the wrong type: True"),
        ({"metadata": '{"data": {"classes": ["a", null]}}'}, r"has data.classes of the wrong type: \['a', None\]"),
        ({"metadata": '{"data": {"source": 5}}'}, "has data.source of the wrong type: 5"),
        ({"metadata": '{"db": 5}'}, "has db of the wrong type: 5"),
        ({"metadata": '{"versions": {"python": 3}}'}, "has versions of the wrong type: {'python': 3}"),
        ({"metadata": '{"elapsed": "long"}'}, "has elapsed of the wrong type: 'long'"),
        ({"metadata": '{"best_percent": true}'}, "has best_percent of the wrong type: True"),
        ({"metadata": '{"data": {"generated": 1}}'}, "has data.generated of the wrong type"),
        ({"step": "-5"}, "step, metadata or sha256 is missing or wrong"),
        ({"format": "one"}, "is damaged: format 'one'"),
    ],
)
def test_metadata_of_the_wrong_kind_is_an_error(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    path = save(tmp_path, checkpoint())
    rewrite(path, **changes)
    with pytest.raises(CheckpointError, match=words):
        load(path)


def test_optimizer_state_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    path = save(tmp_path, checkpoint())
    for odd, words in (("optimizer.m.c9.bias", "different names: c9.bias"), ("optimizer.q", "different names")):
        with safe_open(path, framework="numpy") as file:
            header = file.metadata()
        save_file(load_file(path) | {odd: np.zeros(4, np.float32)}, tmp_path / "x.safetensors", header)
        rewrite(tmp_path / "x.safetensors")
        with pytest.raises(CheckpointError, match=words):
            load(tmp_path / "x.safetensors")
    save_file(load_file(path) | {"d.x": np.zeros(4)}, tmp_path / "x.safetensors", header)
    with pytest.raises(CheckpointError, match=r"d\.x is not float32"):
        load(tmp_path / "x.safetensors")


@given(st.data())
def test_any_flipped_bit_is_found_or_harmless(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.getbasetemp() / "flipped"
    path = save(folder, checkpoint())
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (folder / "x.safetensors").write_bytes(content)
    try:
        loaded = load(folder / "x.safetensors")
    except CheckpointError:
        return
    assert same(loaded, checkpoint())


def test_missing_and_empty_places(tmp_path: Path) -> None:
    cases: list[tuple[Callable[[Path], object], Path, str]] = [
        (load, tmp_path / "no", "there is no checkpoint file .*no"),
        (newest, tmp_path / "no", "there is no folder .*no"),
        (load, tmp_path, r"has no checkpoint; looked for step-\*\.safetensors"),
        (newest, tmp_path, r"has no checkpoint; looked for step-\*\.safetensors"),
    ]
    for use, place, words in cases:
        with pytest.raises(CheckpointError, match=words):
            use(place)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"step": -1}, "step -1"),
        ({"step": 10**18}, "step 1000000000000000000"),
        ({"parameters": {"optimizer.x": np.zeros(1, np.float32)}, "optimizer": {}}, "cannot be called 'optimizer.x'"),
        ({"optimizer": {"m.x": arrays(0)}}, "cannot be called 'm.x'"),
        ({"optimizer": {"m": {}}}, "state 'm' and the parameters have different names"),
        ({"optimizer": {"m": {n: a.ravel() for n, a in arrays(0).items()}}}, "of shape"),
        ({"parameters": {"a.x": np.zeros(2)}, "optimizer": {}}, "a.x is float64"),
        ({"run": RunState(model={"x": object()})}, "must be plain data"),
        ({"run": RunState(model=CIRCULAR)}, "must be plain data: Circular reference detected"),
    ],
)
def test_what_cannot_be_saved(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        save(tmp_path, replace(checkpoint(), **changes))
    with pytest.raises(CheckpointError, match="keep >= 1"):
        save(tmp_path, checkpoint(), keep=0)
    assert names(tmp_path) == []


@pytest.mark.parametrize("step", [0, 10**17, 10**18 - 1])
def test_any_step_that_has_a_name_is_saved(tmp_path: Path, step: int) -> None:
    path = save(tmp_path, checkpoint(step))
    assert newest(tmp_path) == path
    assert load(tmp_path).step == step


def test_checkpoints_that_cannot_be_read_may_be_another_runs(tmp_path: Path) -> None:
    """A run that began there would remove them one after the other; one whose own are damaged goes on."""
    damaged = save(tmp_path, checkpoint(10, "u2"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=r"cannot be read \(step-00000010.safetensors\), perhaps of another run"):
        prepare(tmp_path, "u1")
    save(tmp_path, checkpoint(20))
    prepare(tmp_path, "u1")


def test_a_foreign_file_under_the_name_of_a_checkpoint_belongs_to_no_run(tmp_path: Path) -> None:
    save_file(arrays(0), tmp_path / "step-00000001.safetensors")
    with pytest.raises(CheckpointError, match="holds no good checkpoint"):
        remove(tmp_path, "u1", tmp_path / "r.db")
    assert names(tmp_path) == ["step-00000001.safetensors"]


@pytest.mark.parametrize("odd", [{"run": 5}, {"run": ["u1"]}, {"db": 5}, {"db": {"path": "r.db"}}])
def test_an_owner_that_is_not_text_is_not_known(tmp_path: Path, odd: dict[str, Any]) -> None:
    path = save(tmp_path, replace(checkpoint(), run=replace(RUN, db="r.db")))
    change_metadata(path, **odd)
    assert owner_of(path) == Owner(**({"run": "u1", "db": "r.db"} | dict.fromkeys(odd)))


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    path = save(tmp_path, checkpoint())
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limit[1]))
    try:
        with pytest.raises(CheckpointError, match=rf"{re.escape(str(path))} cannot be read: Too many open files"):
            load(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)


def test_a_folder_that_may_not_be_written_is_refused_before_the_work_begins(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    code = f"from engine.checkpoint import prepare; prepare({str(tmp_path)!r})"
    command = [*PLAIN_PERSON, sys.executable, "-c", code]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    finally:
        tmp_path.chmod(0o700)
    assert f"the folder {tmp_path} for checkpoints cannot be written; choose another one" in done.stderr


def test_metadata_can_be_read_by_anyone(tmp_path: Path) -> None:
    with safe_open(save(tmp_path, checkpoint()), framework="numpy") as file:
        header = file.metadata()
    assert {key: header[key] for key in ("gradsum", "format", "step")} == {
        "gradsum": "checkpoint",
        "format": "1",
        "step": "100",
    }
    metadata = json.loads(header["metadata"])
    assert metadata["data"] == {
        "name": "letters",
        "digest": None,
        "classes": ["a", "b"],
        "generated": True,
        "source": None,
    }
    assert (metadata["run"], metadata["model"], metadata["elapsed"]) == ("u1", {"layers": []}, 0.0)


def test_what_another_version_has_in_addition_is_ignored_and_what_it_lacks_has_a_default(tmp_path: Path) -> None:
    path = save(tmp_path, checkpoint())
    change_metadata(path, weather="fine")
    assert load(path).run == RUN
    rewrite(path, metadata="{}")
    assert load(path).run == RunState()


def test_a_checkpoint_of_the_first_version_is_understood_and_written_again_as_it_was(tmp_path: Path) -> None:
    loaded = load(OLD)
    assert (loaded.step, loaded.run.uuid, loaded.run.name) == (5, "5e219cf078644ed8a72484fff3eba392", "an old run")
    assert params_sha256(loaded.parameters) == "63fcd4a654f6463ddeb626a8409df80b3bfee09e9c880e88dad899e4cc316803"
    assert {name: params_sha256(values)[:8] for name, values in loaded.optimizer.items()} == {
        "m": "011d00db",
        "v": "e3ff4330",
    }
    assert loaded.run.settings["mailbox"] is True
    assert loaded.run.data.classes == ("0", "1", "2")
    assert loaded.run.validation
    assert loaded.run.validation["step"] == 3
    again, old = save(tmp_path, loaded), newest(OLD)
    with safe_open(again, framework="numpy") as new, safe_open(old, framework="numpy") as first:
        assert new.metadata() == first.metadata()
    ours, theirs = load_file(again), load_file(old)
    assert {name: array.tobytes() for name, array in ours.items()} == {n: a.tobytes() for n, a in theirs.items()}
