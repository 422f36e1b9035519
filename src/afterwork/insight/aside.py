"""What is kept of the journal for calculations that go on."""

from collections.abc import Iterator

from sqlalchemy import Connection

from afterwork.journal.entries import kept_aside as found_in

MANY = 100_000

ADVICE = (
    "A calculation has gone on since then, and what is changed meanwhile is kept until it ends. Let it read less at "
    "once; `afterwork status` tells whether its server is still there."
)


def kept_aside(connection: Connection) -> Iterator[tuple[str, bool, str]]:
    """What is kept aside, whether that is little enough, and what to do. Nothing if nothing is."""
    kept = found_in(connection)
    if kept.first is not None:
        what = f"{kept.count:,} changes kept aside for calculations, the first of {kept.first:%Y-%m-%d %H:%M:%S} UTC"
        yield what, kept.count < MANY, ADVICE
