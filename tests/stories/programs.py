"""Python programs that a test starts, and what they say."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str, exit_code: int = 0) -> str:
    """Return what a Python program says."""
    ended = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == exit_code, ended.stderr
    return ended.stdout + ended.stderr
