"""What the system tells of caches, from files written here."""

from pathlib import Path

import pytest

from engine.system.caches import USUAL, cache_size


def tell(root: Path, *caches: tuple[str, str, str]) -> None:
    for number, values in enumerate(caches):
        folder = root / f"sys/devices/system/cpu/cpu0/cache/index{number}"
        folder.mkdir(parents=True)
        for name, value in zip(("level", "type", "size"), values, strict=True):
            (folder / name).write_text(value + "\n")


def test_caches_of_data(tmp_path: Path) -> None:
    tell(tmp_path, ("1", "Instruction", "64K"), ("2", "Unified", "2048K"), ("1", "Data", "48K"))
    assert (cache_size(1, tmp_path), cache_size(2, tmp_path)) == (48 << 10, 2 << 20)


@pytest.mark.parametrize("caches", [(), (("2", "Unified", "1024K"),), (("1", "Data", "?"),), (("1", "Data", ""),)])
def test_the_usual_size_where_the_system_does_not_tell(
    tmp_path: Path, caches: tuple[tuple[str, str, str], ...]
) -> None:
    tell(tmp_path, *caches)
    assert cache_size(1, tmp_path) == USUAL[1]


def test_a_file_that_is_missing_tells_nothing(tmp_path: Path) -> None:
    tell(tmp_path, ("1", "Data", "48K"))
    (tmp_path / "sys/devices/system/cpu/cpu0/cache/index0/size").unlink()
    assert cache_size(1, tmp_path) == USUAL[1]
