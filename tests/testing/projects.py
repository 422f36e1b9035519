"""Projects of users: folders with tests of their own, which a real pytest runs."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOW_TO = ROOT / "docs" / "howto" / "testing.md"

_FILE = re.compile(r"```\w+\n# (\S+\.(?:py|ini))\n(.*?)```", re.DOTALL)


def files_of(page: Path) -> dict[str, str]:
    """The files that a page shows: the blocks of code that begin with a file's name."""
    return dict(_FILE.findall(page.read_text()))


def entry_points() -> str:
    """What the wheel tells pytest, in the form in which it is installed."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    return "[pytest11]\n" + "".join(f"{name} = {module}\n" for name, module in declared.items())


@dataclass(frozen=True)
class Ran:
    """How a run of pytest has ended, and all that it said."""

    code: int
    said: str

    def counts(self, what: str) -> int:
        """The number of tests that have passed, failed or raised an error."""
        match = re.search(rf"(\d+) {what}", self.said)
        return 0 if match is None else int(match[1])


@dataclass(frozen=True)
class Project:
    """A folder with files, in an environment in which Afterwork is installed as its wheel says, unless it is not."""

    folder: Path
    is_installed: bool = True

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    def run(self, *options: str, environment: Mapping[str, str] | None = None) -> Ran:
        """Run the project's tests, as somebody does in its folder."""
        path = [*self._installed(), ROOT / "src", self.folder]
        settings = {**os.environ, "PYTEST_ADDOPTS": "", "PYTHONPATH": os.pathsep.join(map(str, path))}
        without = [word for plugin in ("schemathesis", "faker", "cacheprovider") for word in ("-p", f"no:{plugin}")]
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--rootdir", str(self.folder), *without, *options],
            cwd=self.folder,
            env={**settings, **(environment or {})},
            capture_output=True,
            check=False,
            text=True,
            timeout=240,
        )
        return Ran(ran.returncode, ran.stdout + ran.stderr)

    def _installed(self) -> Iterator[Path]:
        """Yield the folder in which it stands that Afterwork is installed."""
        if self.is_installed:
            folder = self.folder / "installed" / "afterwork_as_installed-0.dist-info"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: afterwork-as-installed\nVersion: 0\n")
            (folder / "entry_points.txt").write_text(entry_points())
            yield folder.parent
