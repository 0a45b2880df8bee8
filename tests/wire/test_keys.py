"""Key files: what is written is read, what is damaged is named, and of what it holds no word is said."""

import os
import tomllib
from pathlib import Path

import pytest
import tomli_w

from engine.errors import UsageError
from engine.wire.keys import Keys, from_standard_input
from tests.support.command import SMALL, Gradsum, save_data

FILE = Path("keys")
# Of zmq_curve(7), the manual of ZeroMQ, in Z85 and in hexadecimal.
PUBLIC = (
    "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
    "BB88471D65E2659B30C55A5321CEBB5AAB2B70A398645C26DCA2B2FCB43FC518",
)
SECRET = (
    "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs",
    "7BB864B489AFA3671FBE69101F94B38972F24816DFB01B51656B3FEC8DFD0888",
)
NO_KEYS = ["", "0" * 39, "0" * 41, "#" * 40, "0" * 35 + "%nSc1", '"' * 40, "\u00e4" * 40, 5, True, 1.5, ["0" * 40], {}]


def save(values: dict[str, object]) -> None:
    FILE.write_text(tomli_w.dumps(values), encoding="utf-8")
    FILE.chmod(0o600)


def test_a_key_file_is_read_by_both_sides() -> None:
    keys = Keys.make()
    keys.write(FILE)
    server, client = Keys.read(FILE, for_server=True), Keys.read(FILE, for_server=False)
    assert server == keys
    assert client == Keys(keys.server_public, b"")
    assert not any(repr(key) in repr((server, client)) for key in (keys.server_secret, keys.server_public))


def test_a_copy_for_workers_needs_no_secret() -> None:
    save({"server_public": PUBLIC[0]})
    assert Keys.read(FILE, for_server=False).server_public.hex().upper() == PUBLIC[1]


def test_published_keys() -> None:
    save({"server_public": PUBLIC[0], "server_secret": SECRET[0]})
    keys = Keys.read(FILE, for_server=True)
    assert (keys.server_public.hex().upper(), keys.server_secret.hex().upper()) == (PUBLIC[1], SECRET[1])


def test_the_largest_key_is_one() -> None:
    save({"server_public": "%nSc0" * 8})  # 32 bits each, and all of them 1
    assert Keys.read(FILE, for_server=False).server_public == b"\xff" * 32


def damage(name: str, value: object) -> None:
    """Write a key file that is right except for one value, None if it is not to be there."""
    Keys.make().write(FILE)
    values: dict[str, object] = tomllib.loads(FILE.read_text())
    values[name] = value
    save({name: value for name, value in values.items() if value is not None})


@pytest.mark.parametrize(
    ("side", "name"),
    [("coordinator", "server_public"), ("coordinator", "server_secret"), ("worker", "server_public")],
)
@pytest.mark.parametrize("value", [*NO_KEYS, None], ids=repr)
def test_a_key_that_is_not_one_is_named(gradsum: Gradsum, side: str, name: str, value: object) -> None:
    damage(name, value)
    save_data()
    run, join = [*SMALL, "--quiet", "--bind", "tcp://127.0.0.1:0"], ["worker", "tcp://127.0.0.1:1"]
    arguments = run if side == "coordinator" else join
    answer = gradsum(*arguments, "--key", FILE)
    path = FILE.absolute() if side == "coordinator" else FILE
    reason = "is missing" if value is None else "is not a key, which has 40 characters of Z85"
    said = f"gradsum: the key file {path} is damaged: {name} {reason}\n"
    assert (answer.code, answer.out, answer.err) == (2, "", said)


def test_a_secret_that_is_of_another_pair_is_told(gradsum: Gradsum) -> None:
    damage("server_secret", SECRET[0])
    save_data()
    answer = gradsum(*SMALL, "--quiet", "--bind", "tcp://127.0.0.1:0", "--key", FILE)
    said = "server_secret does not belong to its public key"
    assert (answer.code, answer.err) == (2, f"gradsum: the key file {FILE.absolute()} is damaged: {said}\n")


@pytest.mark.parametrize("side", ["coordinator", "worker"])
def test_a_syntax_error_is_told_with_its_line(gradsum: Gradsum, side: str) -> None:
    FILE.write_text(f'# Keys\nserver_public = "{PUBLIC[0]}"\nserver_secret = {SECRET[0]}\n')  # without quotes
    FILE.chmod(0o600)
    save_data()
    run, join = [*SMALL, "--quiet", "--bind", "tcp://127.0.0.1:0"], ["worker", "tcp://127.0.0.1:1"]
    answer = gradsum(*(run if side == "coordinator" else join), "--key", FILE)
    path = FILE.absolute() if side == "coordinator" else FILE
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"gradsum: the key file {path} is not valid TOML: Invalid value (at line 3, column 17)\n"


def test_a_misspelt_name_is_told(gradsum: Gradsum) -> None:
    damage("server", "0" * 40)
    answer = gradsum("worker", "tcp://127.0.0.1:1", "--key", FILE)
    assert (answer.code, answer.err) == (
        2,
        f"gradsum: the key file {FILE} has the unknown name 'server'; it may have server_public, server_secret\n",
    )


@pytest.mark.parametrize("more", [b"", b"server_secret = 'x'\n# more"])
def test_a_key_comes_down_a_pipe_that_stays_open(more: bytes) -> None:
    keys = Keys.make()
    reader, writer = os.pipe()
    os.write(writer, b"# a remark\n" + keys.way_in() + more)
    assert from_standard_input(reader) == Keys(keys.server_public, b"")
    os.close(writer)
    os.close(reader)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", "standard input has no line server_public"),
        (b"server_secret = 'x'\n", "standard input has no line server_public"),
        (b"server_public = 5", "the key in standard input is damaged: server_public is not a key"),
    ],
)
def test_no_key_comes_down_a_pipe(sent: bytes, said: str) -> None:
    reader, writer = os.pipe()
    os.write(writer, sent)
    os.close(writer)
    with pytest.raises(UsageError, match=said):
        from_standard_input(reader)
    os.close(reader)


def test_a_key_file_that_others_may_read_is_taken_where_that_is_allowed(caplog: pytest.LogCaptureFixture) -> None:
    keys = Keys.make()
    keys.write(FILE)
    FILE.chmod(0o440)
    with pytest.raises(UsageError, match=r"has mode 440: others may have read it; .*--key-mode any"):
        Keys.read(FILE, for_server=True)
    assert Keys.read(FILE, for_server=True, any_mode=True) == keys
    assert "the key file keys has mode 440: others than this user may read it" in caplog.text


def test_where_no_file_can_be_made_or_one_is_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(UsageError, match=r"the key file .*none/key cannot be written: No such file or directory"):
        Keys.make().write(tmp_path / "none" / "key")
    path.write_text("mine")
    with pytest.raises(UsageError, match=r"the key file .*key cannot be written: File exists"):
        Keys.make().write(path)
    assert path.read_text() == "mine"
