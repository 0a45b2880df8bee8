"""`gradsum manifest kubernetes`: what is printed is a run that Kubernetes understands."""

import shlex
from typing import Any

import pytest

from engine.cli.command import load
from engine.wire.keys import Keys
from tests.support.command import Gradsum
from tests.support.tools import cannot

KINDS = ["Secret", "Service", "PersistentVolumeClaim", "Job"]


def documents(gradsum: Gradsum, *options: object) -> dict[str, Any]:
    """Return the documents of a manifest by their kind."""
    yaml = pytest.importorskip("yaml")
    answer = gradsum("manifest", "kubernetes", *options)
    assert answer.code == 0, answer.err
    found = list(yaml.safe_load_all(answer.out))
    assert [document["kind"] for document in found] == KINDS
    return {document["kind"]: document for document in found}


def test_pods_hold_the_workers_and_one_the_coordinator(gradsum: Gradsum) -> None:
    job = documents(gradsum, "--workers", 9, "--cores", 4, "--image", "here/g:1", "--name", "my-run")["Job"]
    assert (job["metadata"]["name"], job["spec"]["completions"], job["spec"]["parallelism"]) == ("my-run", 4, 4)
    assert job["spec"]["completionMode"] == "Indexed"
    assert job["spec"]["successPolicy"] == {"rules": [{"succeededIndexes": "0", "succeededCount": 1}]}
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "here/g:1"
    assert container["resources"]["limits"]["cpu"] == container["resources"]["requests"]["cpu"] == "4"


def test_its_commands_are_ours(gradsum: Gradsum) -> None:
    found = documents(gradsum, "--options", "--data mnist --name 'a b'")
    [script] = found["Job"]["spec"]["template"]["spec"]["containers"][0]["args"]
    coordinator, worker = (words for words in commands(script))
    given = load("coordinator").parser().parse_args(coordinator)
    assert (given.bind, given.name, given.data, given.or_begin) == ("tcp://*:5555", "a b", "mnist", True)
    given = load("worker").parser().parse_args(worker)
    assert (given.address, given.key_mode, given.once) == ("tcp://gradsum-0.gradsum:5555", "any", False)


def test_workers_have_the_own_code_and_the_kernels_of_the_run(gradsum: Gradsum) -> None:
    options = "--data mnist --import '/code/my layers.py' --kernels=exact --epochs 5"
    [script] = documents(gradsum, "--options", options)["Job"]["spec"]["template"]["spec"]["containers"][0]["args"]
    coordinator, worker = (words for words in commands(script))
    for name, words in (("coordinator", coordinator), ("worker", worker)):
        given = load(name).parser().parse_args(words)
        assert (given.import_, given.kernels) == ("/code/my layers.py", "exact")


def commands(script: str) -> list[list[str]]:
    """Return the arguments of both commands of gradsum."""
    found = [part.split("fi\n")[0] for part in script.split("exec gradsum ")[1:]]
    return [shlex.split(part.replace("\\\n", " "))[1:] for part in found]


def test_the_keys_are_new_and_those_of_workers_have_no_secret(gradsum: Gradsum) -> None:
    first, second = (documents(gradsum)["Secret"]["stringData"] for _ in range(2))
    both = Keys.parse(first["coordinator"].encode(), "the secret", for_server=True)
    assert Keys.parse(first["worker"].encode(), "the secret", for_server=False).server_public == both.server_public
    assert "server_secret" not in first["worker"]
    assert first["worker"] != second["worker"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--workers", 0], "--workers must be from 1 to 4096, got 0"),
        (["--cores", 0], "--cores must be from 1 to 4096, got 0"),
        (["--name", "My run"], "--name must be a name as Kubernetes has them"),
        (["--image", "a b"], "--image must be the name of an image"),
        (["--image", "foo:"], "--image must be the name of an image"),
        (["--options", '--data "a\nb"'], "--options must be one line of printable text"),
        (["--options", "'"], "No closing quotation"),
        (["--options", "--data mnist --import"], "--import: expected one argument"),
    ],
)
def test_bad_usage(gradsum: Gradsum, options: list[object], said: str) -> None:
    answer = gradsum("manifest", "kubernetes", *options)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err


@pytest.mark.check
def test_the_published_schemas_hold(gradsum: Gradsum) -> None:
    try:
        import kubernetes_validate
    except ImportError:
        cannot("needs kubernetes-validate: pip install 'gradsum[check]'")
    for document in documents(gradsum, "--workers", 9, "--cores", 4).values():
        kubernetes_validate.validate(document, "1.33", strict=True)
