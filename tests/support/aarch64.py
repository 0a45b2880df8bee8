"""The program on aarch64, under emulation: Debian's Python and this processor's wheels, run by qemu.

What is fetched and compiled is kept in build/aarch64, which `make clean` removes.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.repository import ROOT
from tests.support.tools import need, need_root

FOLDER = ROOT / "build" / "aarch64"
MIRROR, RELEASE, PYTHON = "http://deb.debian.org/debian", "bookworm", "3.11"
PLATFORMS = [f"manylinux_2_{minor}_aarch64" for minor in (28, 27, 26, 17)] + ["manylinux2014_aarch64"]


class Machine:
    """A machine with an aarch64 processor on which the program, as it stands in `ROOT`, is installed.

    Raises CalledProcessError if it cannot be set up.
    """

    def __init__(self, folder: Path) -> None:
        need_root()  # debootstrap asks for it
        self._qemu = need("qemu-aarch64-static", "qemu-user-static")
        self._system = _kept("system", self._install_system)
        metadata = hashlib.sha256((ROOT / "setup.cfg").read_bytes()).hexdigest()[:8]
        wheel = folder / "wheel"
        _pip("wheel", "--no-deps", "--wheel-dir", wheel, ROOT)
        (self._gradsum,) = wheel.iterdir()
        self._packages = _kept(f"packages-{metadata}", self._install_packages)
        self._program = folder / "program"
        _pip("install", "--no-deps", "--target", self._program, self._gradsum)

    def gradsum(self, *arguments: object, cwd: Path) -> str:
        """Run a command of the program and return what it printed; CalledProcessError if it fails."""
        environment: dict[str, str] = {
            "PYTHONPATH": f"{self._program}:{self._packages}",
            "PYTHONSAFEPATH": "1",
            "GRADSUM_CACHE": str(FOLDER / "cache"),
            "QEMU_LD_PREFIX": str(self._system),
        }
        python = str(self._system / "usr/bin" / f"python{PYTHON}")
        command = [self._qemu, python, "-m", "gradsum", *map(str, arguments)]
        given = os.environ | environment
        return subprocess.run(command, env=given, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True).stdout

    @staticmethod
    def _install_system(place: Path) -> None:
        """Unpack Debian's packages; none is configured, as nothing of theirs but Python is run."""
        debootstrap = [need("debootstrap", "debootstrap"), "--foreign", "--arch=arm64", "--variant=minbase"]
        subprocess.run(
            [*debootstrap, "--include=python3", RELEASE, place, MIRROR], check=True, stdout=subprocess.DEVNULL
        )
        for package in (place / "var/cache/apt/archives").glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, place], check=True)

    def _install_packages(self, place: Path) -> None:
        of = ["--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON]
        for platform in PLATFORMS:
            of += ["--platform", platform]
        _pip("install", "--target", place, *of, f"{self._gradsum}[fast]")
        for part in ("engine", "workers"):  # each test brings its own
            shutil.rmtree(place / part)


def _kept(name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder of `FOLDER`, which `make` fills if it is not there; it is there only as a whole."""
    place = FOLDER / name
    if not place.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=name, dir=FOLDER) as unfinished:
            make(Path(unfinished) / name)
            (Path(unfinished) / name).rename(place)
    return place


def _pip(*arguments: object) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, *map(str, arguments), "--quiet"], check=True)
