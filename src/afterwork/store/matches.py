"""The table of hits, as tickets are: so whatever runs tickets runs them, too."""

from sqlalchemy.orm import registry

from afterwork.model.contract import Contract
from afterwork.store import tables

MATCH = "afterwork-hit-"
"""What the key of a hit begins with, which tells it from those of tickets."""


class Match:
    """One object that a round of a timer has hit."""


MATCHES = Contract.of(registry().map_imperatively(Match, tables.hit))
