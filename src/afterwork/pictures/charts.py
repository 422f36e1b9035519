"""Charts as SVG. The style sheet colours them by class."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

WIDTH, HEIGHT = 720, 150
LEFT, BOTTOM, TOP = 44, 18, 8


@dataclass(frozen=True)
class Bar:
    """One bar: its parts from the bottom up, each a CSS class and a number, and its description."""

    parts: Sequence[tuple[str, float]]
    title: str

    @property
    def height(self) -> float:
        return sum(number for _, number in self.parts)


def bar_chart(shown: Sequence[Bar], label: str, first: str, last: str) -> Markup:
    """Return a chart of stacked bars. `first` and `last` are the labels below its ends, `label` describes it."""
    top_value = _round_up(max((bar.height for bar in shown), default=0))
    step = (WIDTH - LEFT) / max(1, len(shown))
    inner = "".join(_drawn(bar, LEFT + n * step, step, top_value) for n, bar in enumerate(shown))
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'
        f"{_axis(top_value)}{inner}"
        f'<text x="{LEFT}" y="{HEIGHT - 4}">{escape(first)}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 4}" text-anchor="end">{escape(last)}</text></svg>'
    )


def _axis(top_value: float) -> str:
    def line(share: float) -> str:
        y = _y(top_value * share, top_value)
        text = f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_in_few_letters(top_value * share)}</text>'
        return f'<line class="axis" x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>{text}'

    return "".join(line(share) for share in (0, 0.5, 1))


def _in_few_letters(number: float) -> str:
    """Format a number on an axis: there is room for four letters on a narrow screen."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:,.0f}"


def _drawn(bar: Bar, x: float, step: float, top_value: float) -> str:
    # The background of the whole column shows its title wherever the pointer is in it.
    ground = f'<rect class="ground" x="{x:.1f}" y="{TOP}" width="{step:.1f}" height="{HEIGHT - BOTTOM - TOP}"/>'
    return f"<g><title>{escape(bar.title)}</title>{ground}{''.join(_parts(bar, x, step, top_value))}</g>"


def _parts(bar: Bar, x: float, step: float, top_value: float) -> Iterator[str]:
    below = 0.0
    for kind, number in bar.parts:
        if number:
            top, bottom = _y(below + number, top_value), _y(below, top_value)
            yield (
                f'<rect class="{kind}" x="{x + 0.5:.1f}" y="{top:.1f}" width="{max(1.0, step - 1.5):.1f}" '
                f'height="{max(0.5, bottom - top):.1f}"/>'
            )
            below += number


def _y(number: float, top_value: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * number / top_value


def _round_up(number: float) -> float:
    """Return the next round number, at least 2, so that an axis has whole numbers."""
    scale = 2.0
    while scale < number:
        for factor in (2, 2.5, 2):
            scale *= factor
            if scale >= number:
                break
    return scale


SPARK_WIDTH, SPARK_HEIGHT = 120, 24


def spark_chart(values: Sequence[int], label: str) -> Markup:
    """Return numbers as small bars without axes. `label` describes them."""
    highest, step = max([1, *values]), SPARK_WIDTH / max(1, len(values))
    bars = "".join(
        f'<rect class="failed" x="{n * step:.1f}" y="{SPARK_HEIGHT * (1 - value / highest):.1f}" '
        f'width="{step - 1:.1f}" height="{max(1.0, SPARK_HEIGHT * value / highest):.1f}"/>'
        for n, value in enumerate(values)
        if value
    )
    ground = f'<line class="axis" x1="0" x2="{SPARK_WIDTH}" y1="{SPARK_HEIGHT}" y2="{SPARK_HEIGHT}"/>'
    size = f'viewBox="0 0 {SPARK_WIDTH} {SPARK_HEIGHT}" width="{SPARK_WIDTH}" height="{SPARK_HEIGHT}"'
    return Markup(f'<svg class="spark" {size} role="img" aria-label="{escape(label)}">{ground}{bars}</svg>')
