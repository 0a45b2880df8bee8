"""What the text of --on means: which launcher, and the commands that it runs."""

import shlex
import subprocess
from pathlib import Path

import pytest

from engine.errors import SettingsError, WorkersError
from engine.kernels.environment import using
from engine.launch.launcher import Join, is_final, last_words, shared_out, shell_command
from engine.launch.launchers import launcher_for, text_for_each
from engine.launch.piped import Task
from engine.launch.slurm import cores_of, cpus_of_nodes, requeue, said_by
from engine.launch.ssh import Host, reason_of_end, ssh, tasks

JOIN = Join("tcp://10.0.0.1,10.1.0.1:5000", b"server_public = 'x'\n", Path("logs"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no launcher ''; there are here, ray, slurm, ssh"),
        ("pbs -q x", "no launcher 'pbs'; there are here, ray, slurm, ssh"),
        ("slrum", "there are here, ray, slurm, ssh; did you mean 'slurm'?"),
        ("ssh 'node1", "No closing quotation"),
        ("ssh", 'needs hosts, as in --on "ssh node1 node2:16"'),
        ("ssh node1 node1:2", "a host is named twice"),
        ("ssh node1:0", "'node1:0' is not a host"),
        ("ssh -p", "-p needs a value"),
        ("ssh no/such/file", "the file of hosts no/such/file cannot be read"),
        ("ray ray://a ray://b", "takes one address"),
    ],
)
def test_what_is_no_launcher(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        launcher_for(text)
    assert said in str(error.value)


def test_hosts_get_their_workers() -> None:
    hosts = [Host("a"), Host("b", 2), Host("c")]
    assert [words_of(task)[-2:] for task in tasks(hosts, [], join(6))] == [
        ["2", "--tied"],
        ["2", "--tied"],
        ["2", "--tied"],
    ]
    assert [task.name for task in tasks(hosts, [], join(1))] == ["a"]
    everything = tasks(hosts, [], join(None))
    assert "--processes" not in words_of(everything[0])
    assert words_of(everything[1])[-3:] == ["--processes", "2", "--tied"]


def test_workers_elsewhere_compute_with_the_kernels_of_the_run() -> None:
    for kernels in ("exact", "numpy"):
        with using(kernels):
            words = join(1).words("-", 1)
        assert words[words.index("--kernels") + 1] == kernels


def join(workers: int | None) -> Join:
    return Join(JOIN.address, JOIN.way_in, JOIN.folder, workers)


def words_of(task: Task) -> list[str]:
    """The words of the remote command, without the script that finds gradsum."""
    script = shlex.split(shlex.split(task.command[-1])[-1].rpartition('exec "$g" ')[2])
    assert script[:2] == ["worker", JOIN.address]
    return script


def test_trials_side_by_side_have_hosts_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("node3:4\nme@node4\n")
    text = f"ssh -p 2222 node1 node2:16 {file}"
    assert text_for_each(text, 2) == ["ssh -p 2222 node1 node3:4", "ssh -p 2222 node2:16 me@node4"]
    assert text_for_each("slurm -p cpu", 2) == ["slurm -p cpu"] * 2
    with pytest.raises(SettingsError, match="5 trials at once take a host each, and there are only node1, node2, "):
        text_for_each(text, 5)


def test_options_of_ssh_are_passed_on(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("node1:4  # the big one\n\nme@node2\n")
    started: list[Task] = []
    launcher = ssh(["-p", "2222", "-4", str(file), "node3"])
    started = launcher.tasks(JOIN)
    assert [task.name for task in started] == ["node1", "me@node2", "node3"]
    command = list(started[1].command)
    assert command[command.index("-p") + 1] == "2222"
    assert "-4" in command
    assert command[command.index("--") + 1] == "me@node2"
    assert "BatchMode=yes" in command


@pytest.mark.parametrize(
    ("code", "said", "never", "told"),
    [
        (255, "x\nroot@a: Permission denied (publickey,password).", True, "ssh-copy-id a"),
        (255, "ssh: Could not resolve hostname a: Name or service not known", True, "no such host is known here"),
        (255, "ssh: connect to host a port 22: Connection refused", False, "Connection refused"),
        (1, "gradsum worker: the coordinator refused this worker: other bits", True, "other bits"),
        (1, "nothing came from tcp://10.0.0.1:5000 for 60 seconds", False, "nothing came"),
        (127, "gradsum is not installed on a", True, "not installed"),
        (-9, "", False, ""),
    ],
)
def test_what_ssh_and_the_worker_say_is_judged(code: int, said: str, never: bool, told: str) -> None:
    final, text = reason_of_end(Task("a", "a", []), code, said)
    assert final == never
    assert told in text


def test_gradsum_is_found_at_the_same_path_or_in_PATH(tmp_path: Path) -> None:
    fake = tmp_path / "gradsum"
    fake.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    fake.chmod(0o755)
    script = shell_command(["worker", "a b"]).replace(shell_command([]).partition(";")[0], "g=/no/such/gradsum")
    done = subprocess.run(
        ["sh", "-c", script], env={"PATH": f"{tmp_path}:/bin:/usr/bin"}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "worker|a b|"
    missing = subprocess.run(
        ["sh", "-c", script], env={"PATH": "/bin:/usr/bin"}, capture_output=True, text=True, check=False
    )
    assert missing.returncode == 127
    assert missing.stderr.startswith("gradsum is not installed on ")
    assert is_final(missing.returncode, missing.stderr)


def test_workers_are_shared_out_evenly() -> None:
    assert shared_out(5, [4, 1, 4]) == [2, 1, 2]
    assert shared_out(100, [4, 1, 4]) == [4, 1, 4]
    assert shared_out(0, [4]) == [0]


def test_the_options_of_slurm_that_matter_here() -> None:
    assert cores_of(["-p", "cpu"]) is None
    assert [cores_of(words) for words in (["-c", "8"], ["-c8"], ["--cpus-per-task=8"], ["--cpus-per-task", "8"])] == [
        8,
        8,
        8,
        8,
    ]
    with pytest.raises(SettingsError, match="-c needs a number of cores, got 'x'"):
        cores_of(["-c", "x"])
    assert cpus_of_nodes("16(x2),8") == [16, 16, 8]


def test_what_a_command_says_when_it_fails_is_told() -> None:
    assert said_by("sh", "-c", "cat", stdin="hello\n") == "hello"
    with pytest.raises(WorkersError, match=r"^no such partition; nothing was done$"):
        said_by("sh", "-c", "printf 'no such partition\\n\\nnothing was done\\n' >&2; exit 1")
    with pytest.raises(WorkersError, match="no-such-command cannot be started: No such file"):
        said_by("no-such-command")


def test_the_last_words_in_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("of an earlier one\n" + "x" * 5000 + "\nthe last line\n")
    assert last_words(log).endswith("x\nthe last line")
    assert last_words(log, log.stat().st_size) == ""
    assert "cannot be read" in last_words(tmp_path / "none")


SHOWN = "JobId=7 JobName=x\n   JobState={state} Reason=None\n   BatchFlag={batch} Reboot=0\n"


@pytest.mark.parametrize(
    ("state", "batch", "again"),
    [
        ("RUNNING", 1, True),
        ("TIMEOUT", 1, True),
        ("RUNNING", 0, False),
        ("CANCELLED", 1, False),
        ("PREEMPTED", 1, False),
    ],
)
def test_a_batch_job_that_is_not_cancelled_goes_back_into_the_queue(state: str, batch: int, again: bool) -> None:
    said: list[tuple[str, ...]] = []

    def say(*command: str) -> str:
        said.append(command)
        return SHOWN.format(state=state, batch=batch)

    done = requeue({"SLURM_JOB_ID": "7"}, say)
    assert (("scontrol", "requeue", "7") in said) == bool(done) == again


def test_outside_of_a_job_nothing_is_queued() -> None:
    assert requeue({}, lambda *_: pytest.fail("Slurm was asked")) == ""


def test_of_what_ssh_says_the_line_that_decides_is_told() -> None:
    said = "Permission denied, please try again.\na: Permission denied (publickey).\nConnection to a closed."
    _, text = reason_of_end(Task("a", "a", []), 255, said)
    assert text.startswith("a: Permission denied (publickey). (")
