"""A release as it would be published, and an environment that has nothing but it."""

import os
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Release:
    """The two files of a release."""

    wheel: Path
    sdist: Path

    @cached_property
    def files_of_the_wheel(self) -> set[str]:
        with zipfile.ZipFile(self.wheel) as archive:
            return set(archive.namelist())

    @cached_property
    def files_of_the_sdist(self) -> set[str]:
        with tarfile.open(self.sdist) as archive:
            return {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}

    @cached_property
    def metadata(self) -> Message:
        (name,) = (name for name in self.files_of_the_wheel if name.endswith(".dist-info/METADATA"))
        with zipfile.ZipFile(self.wheel) as archive:
            return message_from_bytes(archive.read(name))

    @property
    def description(self) -> str:
        """What the index shows as the page of the project."""
        payload = self.metadata.get_payload(decode=True)
        assert isinstance(payload, bytes)
        return payload.decode()


@dataclass(frozen=True)
class Installed:
    """An environment of its own. `environment` has no trace of the repository."""

    folder: Path

    def program(self, name: str) -> str:
        return str(self.folder / "bin" / name)

    @property
    def environment(self) -> dict[str, str]:
        ours = ("PYTHONPATH", "VIRTUAL_ENV", "DATABASE_URL")
        return {name: value for name, value in os.environ.items() if name not in ours}

    def run(self, program: str, *arguments: str, at: Path) -> str:
        """Return what a program prints. It must end well."""
        ended = self.ended(program, *arguments, at=at)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def ended(self, program: str, *arguments: str, at: Path) -> "subprocess.CompletedProcess[str]":
        command = [self.program(program), *arguments]
        return subprocess.run(command, cwd=at, env=self.environment, capture_output=True, text=True, check=False)

    def pip(self, *arguments: str) -> None:
        self.run("python", "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments, at=self.folder)


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Both files, built as `make dist` does: the wheel from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return Release(*folder.glob("*.whl"), *folder.glob("*.tar.gz"))


@pytest.fixture(scope="session")
def installed(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel with what it depends on, from the index of packages, and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    environment = Installed(folder)
    need_the_index(environment)
    environment.pip("install", "-c", str(ROOT / "constraints.txt"), str(release.wheel))
    return environment


def need_the_index(environment: Installed) -> None:
    """Skip the test where no packages can be had. Whoever decides about a change must have them."""
    wanted = ["download", "--retries", "0", "--no-deps", "--dest", str(environment.folder / "one"), "typing-extensions"]
    asked = environment.ended("python", "-m", "pip", *wanted, at=environment.folder)
    if asked.returncode and not os.environ.get("CI"):
        pytest.skip(f"No package can be had from the index: {asked.stderr.strip().splitlines()[-1]}")
    assert asked.returncode == 0, asked.stderr
