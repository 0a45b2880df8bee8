"""TOML files: what they say, or one line that says where they are wrong."""

from pathlib import Path

import pytest

from engine.errors import ModelError
from engine.system.toml import read_toml

FILE = Path("x.toml")


@pytest.mark.parametrize("begin", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_file_is_read(begin: bytes, end: bytes) -> None:
    FILE.write_bytes(begin + b"[a]" + end + "b = 'ü'".encode() + end)
    assert read_toml(FILE, ModelError, "it") == {"a": {"b": "ü"}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "it cannot be read: No such file or directory"),
        (b"a = 1\nb = \n", r"it is not valid TOML: Invalid value \(at line 2, column 5\)"),
        (b"a = '\xff'", "it is not valid TOML: 'utf-8' codec can't decode byte 0xff"),
        (b"a = " + b"9" * 5000, "it has a number with too many digits"),
        (b"a = 0x" + b"f" * 5000, "it has a number with too many digits"),
        (b"a = " + b"[" * 5000, "it has values that are nested too deeply"),
    ],
)
def test_what_is_wrong_is_said(content: bytes | None, said: str) -> None:
    if content is not None:
        FILE.write_bytes(content)
    with pytest.raises(ModelError, match=said):
        read_toml(FILE, ModelError, "it")
