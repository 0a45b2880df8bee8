"""`gradsum rm`: deletes records and checkpoints of real runs, says what was freed, and takes nothing else along."""

import re
from pathlib import Path

import pytest

from engine.records import Recorder, RunRow, list_runs, reading, snapshots
from tests.support.command import SMALL, Gradsum, save_data


@pytest.fixture
def trained(gradsum: Gradsum) -> list[Path]:
    """Train two runs of 5 steps, the second with a name, and return the folders of their checkpoints."""
    save_data()
    for more in ((), ("--name", "the second", "--out", "mine")):
        assert gradsum(*SMALL, "--epochs", 1, "--db", "r.db", "--quiet", *more).code == 0
    return [Path(str(run["folder"])) for run in list_runs("r.db")]


def files(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def numbers() -> list[int]:
    return [run["startID"] for run in list_runs("r.db")]


def test_a_run_goes_with_its_checkpoints(gradsum: Gradsum, trained: list[Path]) -> None:
    size = files(trained[0])
    answer = gradsum("rm", 1, "--db", "r.db")
    assert answer.code == 0
    first, second = answer.out.splitlines()
    kept = "; the file keeps its size for later runs, or for gradsum rm --vacuum"
    assert re.fullmatch(rf"deleted run 1 from r\.db: \S+ (bytes|kB|MB){kept}", first)
    assert second == f"checkpoints of run 1 deleted with {trained[0]}: {size / 1000:.3g} kB freed"
    assert (trained[0].exists(), trained[1].exists(), numbers()) == (False, True, [2])


def test_several_by_name_and_number_once_each(gradsum: Gradsum, trained: list[Path]) -> None:
    answer = gradsum("rm", "the second", 1, 2, "--db", "r.db", "--keep-checkpoints")
    assert answer.out.startswith("deleted runs 2, 1 from r.db: ")
    assert f"checkpoints of run 2 are kept in {trained[1]}\n" in answer.out
    assert all(folder.exists() for folder in trained)
    assert numbers() == []
    assert gradsum("rm", 1, "--db", "r.db").code == 2


def test_the_space_is_given_back_when_it_is_asked_for(gradsum: Gradsum, trained: list[Path]) -> None:
    before = Path("r.db").stat().st_size
    gradsum("rm", 1, "--db", "r.db")
    assert Path("r.db").stat().st_size == before
    first, _, last = gradsum("rm", 2, "--vacuum", "--db", "r.db").out.splitlines()
    assert re.fullmatch(r"deleted run 2 from r\.db: \S+ (bytes|kB|MB)", first)
    given = re.fullmatch(r"r\.db: (\S+) (kB|MB) given back to the disk", last)
    assert given
    freed = float(given[1]) * {"kB": 1e3, "MB": 1e6}[given[2]]
    assert before - Path("r.db").stat().st_size == pytest.approx(freed, rel=0.01)
    again = gradsum("rm", "--vacuum", "--db", "r.db")
    assert (again.code, again.out) == (0, "r.db: 0 bytes given back to the disk\n")
    nothing = gradsum("rm", "--db", "r.db")
    assert (nothing.code, nothing.err) == (2, "gradsum: name the runs to delete, or give --vacuum\n")


def test_a_folder_with_anything_else_in_it_stays(gradsum: Gradsum, trained: list[Path]) -> None:
    (trained[1] / "notes.txt").write_text("mine")
    size = files(trained[1])
    answer = gradsum("rm", 2, "--db", "r.db")
    assert answer.code == 0
    assert f"checkpoints of run 2 are kept: {trained[1]} holds 'notes.txt' as well" in answer.out
    assert files(trained[1]) == size


def test_a_copied_database_does_not_take_the_originals_checkpoints(gradsum: Gradsum, trained: list[Path]) -> None:
    Path("copy.db").write_bytes(Path("r.db").read_bytes())
    answer = gradsum("rm", 1, "--db", "copy.db")
    assert f"are kept: those in {trained[0]} say that their run is in database {Path('r.db').absolute()}" in answer.out
    assert trained[0].exists()
    assert [run["startID"] for run in list_runs("copy.db")] == [2]
    assert numbers() == [1, 2]


def test_only_snapshots(gradsum: Gradsum, trained: list[Path]) -> None:
    with reading("r.db") as connection:
        assert snapshots.steps(connection, 1) == snapshots.steps(connection, 2) == [1, 2, 3, 4, 5]
    answer = gradsum("rm", 1, 2, "--db", "r.db", "--snapshots", "--keep-every", 2)
    assert (answer.code, len(answer.out.splitlines())) == (0, 1)
    assert re.match(r"deleted snapshots and statistics of runs 1, 2 from r\.db: ", answer.out)
    gradsum("rm", 1, "--db", "r.db", "--snapshots")
    with reading("r.db") as connection:
        assert (snapshots.steps(connection, 1), snapshots.steps(connection, 2)) == ([], [2, 4])
    assert numbers() == [1, 2]
    assert all(folder.exists() for folder in trained)


@pytest.mark.parametrize("wrong", [0, -1, 1 << 63])
@pytest.mark.parametrize("snapshots", [(), ("--snapshots",)])
def test_a_number_of_which_no_step_is_a_multiple_deletes_nothing(
    gradsum: Gradsum, trained: list[Path], wrong: int, snapshots: tuple[str, ...]
) -> None:
    refused = gradsum("rm", 1, "--db", "r.db", *snapshots, "--keep-every", wrong)
    assert (refused.code, refused.out) == (2, "")
    assert f"--keep-every must be from 1 to 9223372036854775807, got {wrong}" in refused.err
    assert (numbers(), trained[0].exists()) == ([1, 2], True)


def test_what_is_said_of_snapshots_alone_deletes_no_run(gradsum: Gradsum, trained: list[Path]) -> None:
    refused = gradsum("rm", 1, "--db", "r.db", "--keep-every", 2)
    assert (refused.code, refused.out) == (2, "")
    assert "--keep-every says which snapshots stay: also give --snapshots" in refused.err
    assert (numbers(), trained[0].exists()) == ([1, 2], True)


def test_nothing_is_deleted_where_one_cannot_be(gradsum: Gradsum, trained: list[Path]) -> None:
    answer = gradsum("rm", 1, 9, "--db", "r.db")
    assert (answer.code, answer.out) == (2, "")
    assert "there is no run '9' in database r.db; it has runs 1, 2 ('the second')" in answer.err
    with Recorder("r.db") as records:
        records.begin(RunRow("m", "d", "sgd", 1, 1, 1, 1, 1))
        answer = gradsum("rm", 1, 3, "--db", "r.db")
        assert (answer.code, answer.out) == (2, "")
        assert "run 3 of database r.db is still running" in answer.err
    assert (numbers(), trained[0].exists()) == ([1, 2, 3], True)


def test_a_resumed_run_keeps_its_name_and_moves_its_folder(gradsum: Gradsum, trained: list[Path]) -> None:
    gradsum("train", "--resume", "mine", "--steps", 6, "--out", "new", "--quiet")
    run = list_runs("r.db")[1]
    assert (run["name"], run["folder"]) == ("the second", str(Path("new").absolute()))
    gradsum("train", "--resume", "new", "--steps", 7, "--name", "another", "--quiet")
    assert list_runs("r.db")[1]["name"] == "another"
    gradsum("rm", "another", "--db", "r.db")
    assert (Path("new").exists(), Path("mine").exists()) == (False, True)


@pytest.mark.parametrize("name", [" ", "12", "a\nb", "\x1b[2J", "x" * 201])
def test_names_that_cannot_be_told_apart_from_numbers_or_shown(gradsum: Gradsum, name: str) -> None:
    save_data()
    answer = gradsum(*SMALL, "--steps", 1, "--db", "r.db", "--name", name)
    assert answer.code == 2
    assert "name must be printable text, at most 200 characters" in answer.err
    assert not Path("r.db").exists()
