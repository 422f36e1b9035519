"""The table of matches, in the form of tickets, so that the code that runs tickets also runs matches."""

from sqlalchemy.orm import registry

from afterwork.model.contract import Contract
from afterwork.store import tables

MATCH = "afterwork-match-"
"""The prefix of the key of a match, which tells it from those of tickets."""


class Match:
    """One object that a round of a timer has matched."""


MATCHES = Contract.of(registry().map_imperatively(Match, tables.match))
