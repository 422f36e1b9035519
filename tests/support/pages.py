"""Pages whose steps are run: blocks of a model, which grows, and scripts with what they print."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(python run|python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Steps:
    """What the scripts of a page have printed, and what the page shows."""

    printed: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)


def steps_of(page: str, folder: Path, python: str = sys.executable, **environment: str) -> Steps:
    """Write the model of a page into `shop.py` in a folder, block by block, and run its scripts there."""
    model, steps = folder / "shop.py", Steps()
    for kind, block in BLOCK.findall((ROOT / page).read_text()):
        match kind:
            case "python":
                model.write_text((model.read_text() if model.exists() else "") + block)
            case "python run":
                ran = subprocess.run(
                    [python, "-W", "ignore", "-c", block],
                    cwd=folder,
                    env=environment or os.environ,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                steps.printed.append(ran.stdout or ran.stderr)
            case _:
                steps.shown.append(block)
    return steps
