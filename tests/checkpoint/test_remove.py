"""A folder of checkpoints is removed only if it is the run's own and holds nothing else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.checkpoint import Checkpoint, RunState, held, remove, save
from engine.errors import CheckpointError

DB = Path("r.db")


def filled(folder: str = "out", run: str = "u1", db: str = "r.db") -> int:
    """Save two checkpoints and return their bytes."""
    arrays = {"fc.bias": np.zeros(3, np.float32)}
    state = RunState(run, db=str(Path(db).absolute()))
    paths = [save(folder, Checkpoint(n, arrays, {}, state)) for n in (1, 2)]
    return sum(path.stat().st_size for path in paths)


def test_the_folder_goes_with_all_checkpoints_and_what_a_killed_save_left() -> None:
    size = filled()
    Path("out/.step-00000003.safetensors.99.tmp").write_bytes(b"12345")
    assert remove("out", "u1", DB) == size + 5
    assert list(Path().iterdir()) == []


def test_a_folder_into_which_a_process_trains_stays() -> None:
    filled()
    with held(Path("out")), pytest.raises(CheckpointError, match="another process is training into out"):
        remove("out", "u1", DB)
    assert len(list(Path("out").glob("step-*"))) > 0


def test_a_damaged_checkpoint_among_good_ones_is_no_hindrance() -> None:
    filled()
    Path("out/step-00000002.safetensors").write_bytes(b"")
    remove("out", "u1", DB)
    assert not Path("out").exists()


def test_a_folder_that_cannot_be_removed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    filled(db="r.db")
    database = DB.resolve()
    monkeypatch.chdir("out")
    with pytest.raises(CheckpointError, match=r"checkpoint \. cannot be removed: Invalid argument"):
        remove(".", "u1", database)


def other_file() -> str:
    filled()
    Path("out/notes.txt").touch()
    return r"out holds 'notes.txt' as well"


def other_folder() -> str:
    filled()
    Path("out/more").mkdir()
    return "out holds 'more' as well"


def other_run() -> str:
    filled(run="u2")
    return "out holds checkpoints of another run"


def other_database() -> str:
    filled(db="elsewhere/r.db")
    return "those in out say that their run is in database .*elsewhere/r.db"


def link_inside() -> str:
    filled()
    Path("elsewhere").touch()
    Path("out/.step-3.safetensors.1.tmp").symlink_to("../elsewhere")
    return "out holds '.step-3.safetensors.1.tmp' as well"


def link() -> str:
    filled("there")
    Path("out").symlink_to("there")
    return "out is a link"


def missing() -> str:
    return "out is not there"


def empty() -> str:
    Path("out").mkdir()
    return "out holds no good checkpoint"


def damaged() -> str:
    filled()
    for path in Path("out").iterdir():
        path.write_bytes(b"")
    return "out holds no good checkpoint"


@pytest.mark.parametrize(
    "make", [other_file, other_folder, other_run, other_database, link_inside, link, missing, empty, damaged]
)
def test_what_is_not_the_runs_own_stays(make: Callable[[], str]) -> None:
    words = make()
    before = sorted(Path().rglob("*"))
    with pytest.raises(CheckpointError, match=words):
        remove("out", "u1", DB)
    assert sorted(Path().rglob("*")) == before


def test_a_folder_of_logs_goes_only_if_it_holds_nothing_else() -> None:
    filled()
    Path("out/logs").mkdir()
    Path("out/logs/a.log").touch()
    Path("out/logs/notes.txt").touch()
    before = sorted(Path().rglob("*"))
    with pytest.raises(CheckpointError, match="out holds 'logs' as well"):
        remove("out", "u1", DB, ["logs"])
    assert sorted(Path().rglob("*")) == before
    Path("out/logs/notes.txt").unlink()
    remove("out", "u1", DB, ["logs"])
    assert not Path("out").exists()
