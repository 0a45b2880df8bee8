"""The service of docs/service.md: its program, started as a person would, answers as the network does."""

import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from engine.network import load_network
from tests.support.command import PATIENCE, SMALL, Gradsum, save_data
from tests.support.repository import ROOT

PAGE = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
BOUNDARY = "of-a-form"
AT_ONCE = 8
SIDE = 28  # of the pictures that the network was trained on


class Service(NamedTuple):
    """A process that listens at a port of 127.0.0.1."""

    process: "subprocess.Popen[str]"
    port: int


@pytest.fixture
def service(gradsum: Gradsum) -> Iterator[Service]:
    """Train a network into runs/digits, and start the program of the page where it can be found."""
    save_data(side=SIDE)
    assert gradsum(*SMALL, "--epochs", 3, "--quiet", "--db", "r.db", "--out", "runs/digits").code == 0
    [program] = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    Path("service.py").write_text(program, encoding="utf-8")
    command = [sys.executable, "-m", "uvicorn", "service:app", "--port", "0"]  # port 0: one that is free
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Service(process, _port(process))
        finally:
            process.kill()


def _port(process: "subprocess.Popen[str]") -> int:
    """Read what the service logs until it says where it listens."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", line):
            return int(found[1])
    raise AssertionError(f"the service did not start: {''.join(said)}")


def png(pixels: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file, "PNG")
    return file.getvalue()


def form(content: bytes, name: str = "picture", file: str = '; filename="digit.png"') -> bytes:
    """Return the body of a form with one field, as curl and browsers send it."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def begin(port: int, body: bytes, length: int | None = None) -> HTTPConnection:
    """Send a request up to, but not including, its last byte."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.putrequest("POST", "/")
    connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
    connection.putheader("Content-Length", str(length or len(body)))
    connection.endheaders(body[:-1])
    return connection


def answered(connection: HTTPConnection) -> tuple[int, str]:
    """Return the status and the text of the answer."""
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def ask(port: int, body: bytes) -> tuple[int, str]:
    connection = begin(port, body)
    connection.send(body[-1:])
    return answered(connection)


def promised(what: str, text: str) -> str:
    """Return the answer that the page has for `what`, which is `text` if "..." can stand for a part of it."""
    [line] = [line for line in PAGE.splitlines() if line.startswith(f"| {what}")]
    answer = line.split("`")[1]
    return text if re.fullmatch(re.escape(answer).replace(r"\.\.\.", ".+"), text) else answer


def test_pictures_that_come_at_once_have_the_answers_of_the_network(service: Service) -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (AT_ONCE, SIDE, SIDE), dtype=np.uint8)
    pixels[::2] //= 4  # dark ones are of another class than light ones
    bodies = [form(png(one)) for one in pixels]
    connections = [begin(service.port, body) for body in bodies]  # all are open before any is complete
    for connection, body in zip(connections, bodies, strict=True):
        connection.send(body[-1:])
    answers = [answered(connection) for connection in connections]
    assert [status for status, _ in answers] == [200] * AT_ONCE
    said = [json.loads(text) for _, text in answers]

    network = load_network("runs/digits")
    labels, probabilities = network.labels(pixels), network.probabilities(pixels)
    assert len(set(labels)) > 1
    assert [one["label"] for one in said] == labels
    assert [list(one["probabilities"]) for one in said] == [list(network.classes)] * AT_ONCE
    assert [list(one["probabilities"].values()) for one in said] == probabilities.tolist()  # to the bit


def test_what_cannot_be_answered_is_said_as_on_the_page_and_sigterm_ends_it(service: Service) -> None:
    picture = png(np.random.default_rng(6).integers(0, 256, (SIDE, SIDE)))
    bad = {
        "a file that is not a picture": form(b"nothing"),
        "a picture that is cut off": form(picture[:100]),
        "a picture of another size": form(png(np.zeros((30, 20)))),
        "no file, or one of another name": form(picture, name="other"),
    }
    for what, body in bad.items():
        status, text = ask(service.port, body)
        assert (status, promised(what, text)) == (400, text)
    secret = form(str(Path("service.py").resolve()).encode(), file="")  # a path, where a file should be
    assert ask(service.port, secret) == ask(service.port, form(picture, name="other"))
    status, text = answered(begin(service.port, b"--", length=10_000_001))
    assert (status, promised("too much", text)) == (413, text)
    assert ask(service.port, form(picture))[0] == 200

    service.process.terminate()
    _, log = service.process.communicate(timeout=PATIENCE)
    assert service.process.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in log
    with pytest.raises(ConnectionRefusedError):
        ask(service.port, form(picture))
