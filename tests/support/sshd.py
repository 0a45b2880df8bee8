"""A real sshd on each of several machines, and an ssh configuration that knows them and two that let nobody in."""

import os
import pwd
import subprocess
from pathlib import Path

from tests.support.machines import Machines
from tests.support.tools import need

# The last two decide the bits of the numpy kernels.
PASSED_ON = ("GRADSUM_BACKEND", "GRADSUM_CACHE", "TMPDIR", "PATH", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


class Sshd:
    """`config` is the file for ssh -F: n1, n2, ... let in, `locked` wants a password, `closed` has no sshd."""

    def __init__(self, machines: Machines, folder: Path, mark: str) -> None:
        self._program = need("sshd", "openssh-server")
        need("ssh", "openssh-client")
        self._machines, self._folder = machines, folder
        for name in ("id", "host", "other"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        (folder / "authorized").write_text((folder / "id.pub").read_text())
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        passed = " ".join(f"{name}={os.environ[name]}" for name in (*PASSED_ON, mark) if name in os.environ)
        for node in machines.nodes:
            (folder / f"{node}.conf").write_text(
                f"ListenAddress {machines.address(node)}\nHostKey {folder}/host\n"
                f"AuthorizedKeysFile {folder}/authorized\n"
                f"StrictModes no\nUsePAM no\nPidFile {folder}/{node}.pid\nPermitRootLogin yes\nSetEnv {passed}\n"
            )
            self.start(node)
        self.config = self._configuration()

    def start(self, node: str) -> None:
        """Start the sshd of a node; it listens when this returns."""
        command = [self._program, "-f", str(self._folder / f"{node}.conf")]
        subprocess.run(self._machines.on(node, *command), check=True)

    def _configuration(self) -> Path:
        hosts = {node: (node, "id", 22) for node in self._machines.nodes}
        hosts |= {"locked": ("n1", "other", 22), "closed": ("n1", "id", 2)}
        text = "".join(
            f"Host {name}\n HostName {self._machines.address(node)}\n Port {port}\n IdentityFile {self._folder}/{key}\n"
            for name, (node, key, port) in hosts.items()
        )
        file = self._folder / "config"
        file.write_text(
            f"{text}Host *\n User {pwd.getpwuid(os.getuid()).pw_name}\n IdentitiesOnly yes\n"
            f" UserKnownHostsFile {self._folder}/known\n StrictHostKeyChecking accept-new\n LogLevel ERROR\n"
        )
        return file
