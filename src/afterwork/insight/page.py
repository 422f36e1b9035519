"""Long lists, of which one page is shown at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Row = TypeVar("Row")

PAGE_SIZE = 50
"""The number of items on a page."""

MAX_ROWS_READ = 1_000
"""The most rows that are read to fill a page. Where few rows match, pages may be short."""


@dataclass(frozen=True)
class ListPage(Generic[Item]):
    """A page of a list. `next` is the `after` of the next page, None on the last one.

    `looked_at` is the number of rows that were read, if that limit was reached before the page was full.
    """

    items: Sequence[Item]
    next: str | None
    looked_at: int | None = None


def page(
    rows: Sequence[Row], wanted: Callable[[Row], bool], place: Callable[[Row], str], item: Callable[[Row], Item]
) -> ListPage[Item]:
    """Return the first page of some rows, of which `MAX_ROWS_READ` + 1 were selected.

    `place` returns the `next` of a page that ends with a row.
    """
    items: list[Item] = []
    for row in rows[:MAX_ROWS_READ]:
        if wanted(row):
            items.append(item(row))
        if len(items) == PAGE_SIZE:
            return ListPage(items, None if row is rows[-1] else place(row))
    return (
        ListPage(items, place(rows[MAX_ROWS_READ - 1]), MAX_ROWS_READ)
        if len(rows) > MAX_ROWS_READ
        else ListPage(items, None)
    )
