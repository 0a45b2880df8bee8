"""Every test has a data cache and a working folder of its own run, so that nothing outside is read or written."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep generated data in a folder of this test session, shared by its tests and their worker processes."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("GRADSUM_CACHE")
    os.environ["GRADSUM_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["GRADSUM_CACHE"]
    else:
        os.environ["GRADSUM_CACHE"] = before


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every test in an empty folder."""
    monkeypatch.chdir(tmp_path)
