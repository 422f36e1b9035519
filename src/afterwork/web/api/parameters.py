"""Parameters that requests to the API share: the actor, and the tickets of an act."""

from typing import Annotated

from fastapi import Depends, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from afterwork.insight import TicketFilter
from afterwork.store.tickets.filter import WantedState
from afterwork.web.gate import identity_of


class ApiProblem(BaseModel):
    """The reason why a request failed."""

    detail: str


def _actor(request: Request) -> str:
    """Return the name of the actor. The gate has checked that they may act, and that a browser meant it."""
    return identity_of(request).name


Actor = Annotated[str, Depends(_actor)]


class TicketQuery(BaseModel):
    """A filter of tickets: those that match all parameters. `search` has the syntax of the page's search box."""

    model_config = ConfigDict(extra="forbid")

    state: WantedState | None = None
    work: str | None = None
    root: str | None = None
    error: str | None = None
    lane: str | None = None
    search: str | None = None

    @property
    def filter(self) -> TicketFilter:
        """Return the filter. Raises `BadRequest` for a malformed search."""
        return TicketFilter.read(self.search or "", self.state).narrowed(
            work=self.work, root=self.root, error=self.error, lane=self.lane
        )


class TicketPageQuery(TicketQuery):
    """Parameters of a page of tickets: at most `most` of those behind the ticket `after`."""

    most: Annotated[int, Query(ge=1, le=1000)] = 50
    after: str | None = None


class TicketSelection(BaseModel):
    """The tickets of an act: by key, or all that match."""

    model_config = ConfigDict(extra="forbid")

    keys: list[str] | None = Field(default=None, max_length=10_000)
    all_matching: TicketQuery | None = None

    @property
    def selected(self) -> TicketFilter | list[str]:
        """Return the selection in the form that acts take."""
        if (self.keys is None) == (self.all_matching is None):
            raise HTTPException(400, "Give keys, or all_matching, and not both.")
        return (self.keys or []) if self.all_matching is None else self.all_matching.filter
