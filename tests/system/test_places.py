"""Where the cache is, with and without a home; nothing is ever put into a folder called "~"."""

import os
import tempfile
from pathlib import Path

import pytest

from engine.errors import SettingsError
from engine.launch.command import worker_environment
from engine.system.places import cache_folder, data_folder, expanded, temporary_folder, use_for_matplotlib

HOMES = ("GRADSUM_CACHE", "HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "MPLCONFIGDIR")


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Take away what says where home is, and return the folder for temporary files."""
    for name in HOMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)  # a number without a name
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp"


def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be the user that the files made here belong to."""
    monkeypatch.setattr(os, "getuid", Path.cwd().stat().st_uid.__int__)


def test_the_variable_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path.cwd()))
    for given, found in (("here", Path.cwd() / "here"), ("/a/b", Path("/a/b")), ("~/c", Path.cwd() / "c")):
        monkeypatch.setenv("GRADSUM_CACHE", given)
        assert cache_folder() == found
        assert worker_environment()["GRADSUM_CACHE"] == str(found)
    assert not list(Path.cwd().glob("here"))  # whoever writes there makes it


def test_a_home_is_used_and_may_be_read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path.cwd() / "home"))
    assert cache_folder() == Path.cwd() / "home/.cache/gradsum"
    assert data_folder() == Path.cwd() / "home/.local/share/gradsum"
    (Path.cwd() / "home/.cache/gradsum").chmod(0o500)
    assert cache_folder() == Path.cwd() / "home/.cache/gradsum"


@pytest.mark.parametrize("home", [None, "/proc/nobody", "/dev/null"])
def test_without_a_home_the_cache_is_private_and_temporary(
    monkeypatch: pytest.MonkeyPatch, nobody: Path, home: str | None
) -> None:
    own(monkeypatch)
    if home:
        monkeypatch.setenv("HOME", home)
    else:
        monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as for a user without a name
    folder = cache_folder()
    assert folder == nobody / f"gradsum-cache-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert cache_folder() == folder
    if home is None:
        assert data_folder() is None
    assert [path.name for path in Path.cwd().iterdir()] == ["tmp"]


@pytest.mark.parametrize("kind", ["another user's", "open", "link", "file"])
def test_a_folder_that_others_can_write_is_refused(monkeypatch: pytest.MonkeyPatch, nobody: Path, kind: str) -> None:
    monkeypatch.setenv("HOME", "/proc/nobody")
    if kind != "another user's":
        own(monkeypatch)
    place = nobody / f"gradsum-cache-{os.getuid()}"
    match kind:
        case "link":
            (nobody / "elsewhere").mkdir()
            place.symlink_to("elsewhere")
        case "file":
            place.touch()
        case _:
            place.mkdir()
            place.chmod(0o777 if kind == "open" else 0o700)
    with pytest.raises(SettingsError, match=f"{place} .*set GRADSUM_CACHE to"):
        cache_folder()


def test_an_unknown_home_in_a_path() -> None:
    with pytest.raises(SettingsError, match="~nobody-has-this-name/x: there is no such home folder"):
        expanded("~nobody-has-this-name/x")


def test_no_folder_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc/nothing"])
    with pytest.raises(SettingsError, match=r"No usable temporary directory .*/proc/nothing.*; set TMPDIR to"):
        temporary_folder()


def test_matplotlib_keeps_its_list_of_fonts_in_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSUM_CACHE", "/a")
    monkeypatch.setenv("MPLCONFIGDIR", "mine")
    use_for_matplotlib()
    assert os.environ["MPLCONFIGDIR"] == "mine"
    monkeypatch.delenv("MPLCONFIGDIR")
    use_for_matplotlib()
    assert os.environ["MPLCONFIGDIR"] == "/a/matplotlib"


def test_the_folder_for_temporary_files_stays_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", ".")
    assert temporary_folder() == Path.cwd()
