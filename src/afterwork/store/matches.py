"""The table of matches, as tickets are: so whatever runs tickets runs them, too."""

from sqlalchemy.orm import registry

from afterwork.model.contract import Contract
from afterwork.store import tables

MATCH = "afterwork-match-"
"""What the key of a match begins with, which tells it from those of tickets."""


class Match:
    """One object that a round of a timer has matched."""


MATCHES = Contract.of(registry().map_imperatively(Match, tables.match))
