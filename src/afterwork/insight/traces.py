"""Tracebacks, with the frames of one's own code told from those of frameworks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

FRAME = re.compile(r'^\s*(?:\| )?\s*File "(?P<path>.+)", line (?P<line>\d+), in (?P<name>.+)$', re.MULTILINE)

PACKAGE = f"{Path(__file__).resolve().parents[1]}/"

OF_FRAMEWORKS = ("/site-packages/", "/dist-packages/", "/lib/python3", "/src/afterwork/", "<frozen ", "<string>")


@dataclass(frozen=True)
class TracePart:
    """Lines of a traceback that belong together. `folded` is the number of frames of frameworks, 0 for own lines."""

    text: str
    folded: int = 0


def frames(trace: str) -> list[tuple[str, str, str]]:
    """Return the path, line and name of each frame of a traceback."""
    return FRAME.findall(trace)


def parts(trace: str) -> list[TracePart]:
    """Return a traceback in parts: own frames and messages, and in between, frames of frameworks that follow each
    other."""
    pieces = list(_pieces(trace))
    joined = []
    for is_folded, group in groupby(pieces, key=lambda piece: piece[0]):
        texts = [text for _, text in group]
        joined.append(TracePart("\n".join(texts), len(texts) if is_folded else 0))
    return joined


def _pieces(trace: str) -> Iterator[tuple[bool, str]]:
    """Yield frames, each with the lines that belong to it, and other lines; first whether it is a framework's."""
    lines: list[str] = []
    is_folded = is_frame = False
    for line in trace.splitlines():
        match = FRAME.match(line)
        if match is None and is_frame and line.startswith("    "):
            lines.append(line)
            continue
        if lines:
            yield is_folded, "\n".join(lines)
        lines, is_frame = [line], match is not None
        is_folded = match is not None and _is_of_framework(match["path"])
    if lines:
        yield is_folded, "\n".join(lines)


def _is_of_framework(path: str) -> bool:
    return path.startswith(PACKAGE) or any(mark in path for mark in OF_FRAMEWORKS)
