"""Names of lanes. Jobs of one lane run one at a time over all servers; those of `PARALLEL` do not."""

from typing import Final

MAIN: Final = "main"
"""The lane of everything that names none."""

PARALLEL: Final = "parallel"
"""What stands in a ticket's Lane for `lane=None`: no exclusive access, a pool of workers runs them."""


def lane_name(lane: str | None) -> str:
    """The name that stands in a row for a declared lane, where None is "in parallel"."""
    return PARALLEL if lane is None else lane
