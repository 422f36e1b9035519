"""The parts of diagrams: frames with a title and lines, and arrows between them, as SVG.

They have no style: a page has `RULES` and colours of its own.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

LETTER = 7.0
"""The approximate width of a letter in pixels. Frames are rather a little too wide than too narrow."""

LINE, TITLE, PAD = 20.0, 28.0, 12.0
MAX_LINE_LETTERS = 40
"""The most letters of a line. Longer lines are cut, and shown whole in the tooltip."""

RULES = """
.aw { font: 12px ui-sans-serif, system-ui, sans-serif; background: var(--area); }
.aw text { fill: var(--ink); font-size: 12px; } .aw .state, .aw .frame { fill: var(--raised); stroke: var(--line); }
.aw .area { fill: var(--area); stroke: var(--soft); stroke-dasharray: 4 3; } .aw .final { stroke-width: 3; }
.aw .edge { fill: none; stroke: var(--soft); } .aw .head { fill: var(--soft); }
.aw .base { fill: var(--area); stroke: var(--soft); }
.aw .label { font-size: 11px; paint-order: stroke; stroke: var(--area); stroke-width: 4px; }
.aw .count { fill: var(--mark); font-weight: 600; } .aw .first { fill: var(--soft); }
.aw .title { font-weight: 600; } .aw .rule { stroke: var(--line); } .aw .soft { fill: var(--soft); }
.aw .middle { stroke: var(--mark); stroke-width: 2; } .aw a text { fill: var(--mark); }
.aw a:hover text, .aw a:focus text { text-decoration: underline; }
.aw .dot { fill: var(--soft); } .aw .dot.fresh { fill: var(--good); } .aw .dot.stale { fill: var(--warn); }
.aw .heat-1 { fill: color-mix(in srgb, var(--warn) 6%, var(--raised)); stroke: var(--warn); }
.aw .heat-2 { fill: color-mix(in srgb, var(--warn) 12%, var(--raised)); stroke: var(--warn); stroke-width: 2; }
.aw .heat-3 { fill: color-mix(in srgb, var(--warn) 18%, var(--raised)); stroke: var(--warn); stroke-width: 3.5; }
.aw .frame.touched, .aw .edge.touched { stroke: var(--mark); stroke-width: 2.5; }
.aw .dot.failed { fill: var(--bad); } .aw .dot.running { fill: var(--busy); }
"""
"""The style of diagrams, with the colours of the page around them."""

COLOURS = """
.aw { --ink: #0f172a; --soft: #52606f; --line: #dbe2ea; --raised: #f1f5f9; --area: #ffffff; --mark: #0f766e;
  --good: #15803d; --warn: #a16207; --bad: #b91c1c; --busy: #1d4ed8; }
@media (prefers-color-scheme: dark) {
  .aw { --ink: #e6ebf2; --soft: #9fb0c5; --line: #2a3750; --raised: #1a2437; --area: #121a2a; --mark: #2dd4bf;
    --good: #4ade80; --warn: #facc15; --bad: #f87171; --busy: #93c5fd; } }
"""
"""The colours of a diagram that stands alone."""

HEADS = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
    'markerUnits="userSpaceOnUse" orient="auto-start-reverse"><path class="head" d="M0 0 8 4 0 8z"/></marker>'
    '<marker id="base" viewBox="0 0 12 12" refX="0" refY="6" markerWidth="12" markerHeight="12" orient="auto">'
    '<path class="base" d="M0 6 11 1 11 11z"/></marker></defs>'
)
"""The heads of arrows, and the triangle at a class that others inherit from."""


@dataclass(frozen=True)
class Line:
    """A line of a frame: a text, a less important one after it, a link, and its dot's CSS class."""

    text: str
    soft: str = ""
    href: str | None = None
    dot: str | None = None

    @property
    def width(self) -> float:
        letters = len(_short(self.text)) + (len(_short(self.soft)) + 2 if self.soft else 0)
        return letters * LETTER + 2 * PAD + (14 if self.dot else 0)


@dataclass
class Frame:
    """A box with a title and lines below it. `kind` is a further class.

    Its position, in pixels, is that of the upper left corner.
    """

    title: Line
    lines: Sequence[Line] = ()
    kind: str = ""
    x: float = 0.0
    y: float = 0.0
    width: float = field(init=False)
    height: float = field(init=False)

    def __post_init__(self) -> None:
        self.width = max(80.0, self.title.width * 1.08, *(line.width for line in self.lines))
        self.height = TITLE + len(self.lines) * LINE + (6 if self.lines else 0)

    @property
    def middle(self) -> float:
        return self.y + self.height / 2

    def parts(self) -> Iterator[str]:
        place = f'x="{self.x:.1f}" y="{self.y:.1f}" width="{self.width:.1f}" height="{self.height:.1f}"'
        yield f'<rect class="{f"frame {self.kind}".strip()}" {place} rx="6"/>'
        yield from _line(self.title, self.x, self.y + 18, "title")
        if self.lines:
            y = self.y + TITLE - 1
            yield f'<path class="rule" d="M{self.x:.1f} {y:.1f}H{self.x + self.width:.1f}"/>'
        for number, line in enumerate(self.lines):
            yield from _line(line, self.x, self.y + TITLE + 15 + number * LINE, "")


def drawn(name: str, parts: Iterable[str], width: float, height: float) -> str:
    """Return a whole diagram of `width` by `height` pixels."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="aw" role="group" aria-label="{escape(name)}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}">',
            f"<title>{escape(name)}</title>",
            HEADS,
            *parts,
            "</svg>",
        ]
    )


def styled(picture: str) -> str:
    """Return a diagram with its style, to stand alone in a file."""
    return picture.replace("</title>", f"</title><style>{COLOURS}{RULES}</style>", 1)


def stacked(frames: Sequence[Frame], x: float, gap: float, total: float) -> float:
    """Place frames below each other, centred in a height. Returns the width of the widest."""
    y = (total - height_of(frames, gap)) / 2
    for frame in frames:
        frame.x, frame.y = x, y
        y += frame.height + gap
    return max((frame.width for frame in frames), default=0.0)


def height_of(frames: Sequence[Frame], gap: float) -> float:
    return sum(frame.height for frame in frames) + gap * max(0, len(frames) - 1)


def arrow(source: Frame, target: Frame, kind: str = "") -> str:
    """Draw an arrow from the right side of a frame to the left side of another one. `kind` is a further class."""
    x1, y1, x2, y2 = source.x + source.width, source.middle, target.x, target.middle
    bend = max(30.0, (x2 - x1) / 2)
    curve = f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    return f'<path class="{f"edge {kind}".strip()}" marker-end="url(#head)" d="{curve}"/>'


def _line(line: Line, x: float, y: float, kind: str) -> Iterator[str]:
    if line.href is not None:
        yield f'<a href="{escape(line.href)}">'
    if line.dot:
        yield f'<circle class="dot {escape(line.dot)}" cx="{x + PAD + 4:.1f}" cy="{y - 4:.1f}" r="4"/>'
    left = x + PAD + (14 if line.dot else 0)
    soft = f' <tspan class="soft" dx="6">{escape(_short(line.soft))}</tspan>' if line.soft else ""
    tip = f"<title>{escape(f'{line.text} {line.soft}'.strip())}</title>"
    yield f'<text class="{kind}" x="{left:.1f}" y="{y:.1f}">{tip}{escape(_short(line.text))}{soft}</text>'
    if line.href is not None:
        yield "</a>"


def _short(text: str) -> str:
    return text if len(text) <= MAX_LINE_LETTERS else f"{text[: MAX_LINE_LETTERS - 1]}…"
