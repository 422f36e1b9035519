"""docs/tutorial.md, step by step: its file grows as the page says, and each script prints what the page shows."""

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(python run|python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_each_step_of_the_tutorial_does_what_it_shows(tmp_path: Path) -> None:
    model = tmp_path / "shop.py"
    shown: list[str] = []
    printed: list[str] = []
    for kind, block in BLOCK.findall(PAGE.read_text()):
        match kind:
            case "python":
                model.write_text((model.read_text() if model.exists() else "") + block)
            case "python run":
                ran = subprocess.run(
                    [sys.executable, "-W", "ignore", "-c", block],
                    cwd=tmp_path,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                printed.append(ran.stdout or ran.stderr)
            case _:
                shown.append(block)

    assert printed == shown
    assert len(shown) >= 4
