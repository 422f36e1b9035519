"""Lists of which one page is shown at a time, however long they are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Row = TypeVar("Row")

PAGE_SIZE = 50
"""Items on a page."""

MAX_ROWS_READ = 1_000
"""Rows that are looked through at most to fill a page. Where few of many are looked for, pages may be short."""


@dataclass(frozen=True)
class ListPage(Generic[Item]):
    """A part of a list. `next` is where it goes on, to be given back as `after`; None at its end. With `looked_at`, so
    many were looked through, and what was looked for was rare among them."""

    items: Sequence[Item]
    next: str | None
    looked_at: int | None = None


def page(
    rows: Sequence[Row], wanted: Callable[[Row], bool], place: Callable[[Row], str], item: Callable[[Row], Item]
) -> ListPage[Item]:
    """The first page of some rows, of which `WINDOW` + 1 were asked for. `place` is where the list goes on after
    one."""
    found: list[Item] = []
    for row in rows[:MAX_ROWS_READ]:
        if wanted(row):
            found.append(item(row))
        if len(found) == PAGE_SIZE:
            return ListPage(found, None if row is rows[-1] else place(row))
    return (
        ListPage(found, place(rows[MAX_ROWS_READ - 1]), MAX_ROWS_READ)
        if len(rows) > MAX_ROWS_READ
        else ListPage(found, None)
    )
