"""Formats numbers as .NET does, with a point before decimals and commas between thousands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal

STANDARD_FORMAT = re.compile(r"([A-Za-z])([0-9]{0,2})")
PICTURE_PART = re.compile(r"""\\[\s\S]|'[^']*'|"[^"]*"|[\s\S]""")
EXACT_CONTEXT = Context(prec=400, rounding=ROUND_HALF_UP)
"""Enough digits for every number that an expression can have."""

FormattedNumber = int | float | Decimal


def format_number(number: FormattedNumber, pattern: str) -> str:
    """Return a number in a format: `D4 F2 N0 P1 X G`, or a picture such as `000`, `#,##0.00` or `0.0%`."""
    value = Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
    if not value.is_finite():
        raise ValueError("It is no finite number.")
    standard = STANDARD_FORMAT.fullmatch(pattern)
    if standard is not None:
        return _standard(value, standard[1].upper(), standard[2], whole=isinstance(number, int))
    return _pictured(value, _sections(pattern)) if pattern else format(value, "f")


def _standard(value: Decimal, letter: str, places: str, *, whole: bool) -> str:
    count, sign = int(places or 2), "-" if value < 0 else ""
    match letter:
        case "D" if whole:
            return sign + str(abs(int(value))).zfill(int(places or 0))
        case "X" if whole:
            return format(int(value) % 2**64, "X").zfill(int(places or 0))
        case "F":
            return format(_rounded(value, count), "f")
        case "N":
            return format(_rounded(value, count), ",f")
        case "P":
            return f"{_rounded(value * 100, count):,f} %"
        case "G" if not places:
            return format(value, "f")
    kind = "whole numbers" if letter in "DX" else "numbers"
    raise ValueError(
        f"There is no format {letter}{places} of such {kind}. Use D or X for whole ones, F, N, P, G, or 0.00."
    )


def _rounded(value: Decimal, places: int) -> Decimal:
    rounded = EXACT_CONTEXT.quantize(value, Decimal(1).scaleb(-places))
    return rounded if rounded else abs(rounded)  # no -0


# Pictures


@dataclass(frozen=True)
class _Picture:
    """A parsed picture. 0 and # in `places` and `decimals` stand for the digits before and after the point."""

    before: list[str]
    after: list[str]
    scale: Decimal
    grouped: bool

    @property
    def places(self) -> str:
        return "".join(part for part in self.before if part in ("0", "#"))

    @property
    def decimals(self) -> str:
        return "".join(part for part in self.after if part in ("0", "#"))


def _sections(pattern: str) -> list[list[str]]:
    """Return the sections of a picture, which `;` separates: positive numbers, negative ones, zero."""
    sections: list[list[str]] = [[]]
    for part in PICTURE_PART.findall(pattern):
        if part == ";":
            sections.append([])
        else:
            sections[-1].append(part)
    return sections


def _pictured(value: Decimal, sections: list[list[str]]) -> str:
    if value == 0 and len(sections) > 2:
        return _written(value, _picture(sections[2]), "")
    if value < 0 and len(sections) > 1 and sections[1]:
        return _written(value, _picture(sections[1]), "")
    return _written(value, _picture(sections[0]), "-")


def _picture(parts: list[str]) -> _Picture:
    point = parts.index(".") if "." in parts else len(parts)
    before, after = parts[:point], [part for part in parts[point + 1 :] if part not in (".", ",")]
    thousands = 0
    while before and before[-1] == ",":  # each comma before the point divides by a thousand
        before, thousands = before[:-1], thousands + 1
    grouped = "," in before
    scale = Decimal(100) ** parts.count("%") / Decimal(1000) ** thousands
    return _Picture([part for part in before if part != ","], after, scale, grouped)


def _written(value: Decimal, picture: _Picture, sign: str) -> str:
    magnitude = abs(_rounded(EXACT_CONTEXT.multiply(value, picture.scale), len(picture.decimals)))
    whole, _, decimals = format(magnitude, "f").partition(".")
    sign = sign if value < 0 and magnitude else ""
    min_digits = len(picture.places) - picture.places.find("0") if "0" in picture.places else 0
    digits = whole.lstrip("0").zfill(min_digits) if picture.places else ""
    min_decimals = picture.decimals.rfind("0") + 1
    shown_decimals = decimals[:min_decimals] + decimals[min_decimals:].rstrip("0")
    after = "".join(_after(picture.after, shown_decimals))
    return sign + "".join(_before(picture, digits)) + ("." if shown_decimals else "") + after


def _before(picture: _Picture, digits: str) -> Iterator[str]:
    """Yield the literals with digits between them; the first place takes all digits that the others leave."""
    left = len(picture.places)
    for part in picture.before:
        if part in ("0", "#"):
            first = 0 if left == len(picture.places) else max(len(digits) - left, 0)
            last = max(len(digits) - left + 1, 0)
            yield "".join(_grouped(digits, first, last) if picture.grouped else digits[first:last])
            left -= 1
        else:
            yield _literal(part)


def _grouped(digits: str, first: int, last: int) -> Iterator[str]:
    for index in range(first, last):
        right = len(digits) - index - 1
        yield digits[index] + ("," if right and right % 3 == 0 else "")


def _after(parts: list[str], digits: str) -> Iterator[str]:
    left = iter(digits)
    for part in parts:
        yield next(left, "") if part in ("0", "#") else _literal(part)


def _literal(part: str) -> str:
    """Return the text of a part that is no digit, without its quotes or backslash."""
    if part[0] in "'\"" and len(part) > 1:
        return part[1:-1]
    return part[1:] if part[0] == "\\" else part
