"""What requests to the API have in common: who acts, and which tickets are meant."""

from typing import Annotated

from fastapi import Depends, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field

from afterwork.insight import TicketFilter
from afterwork.store.tickets.filter import Wanted
from afterwork.web.gate import identity_of


class ApiProblem(BaseModel):
    """Why a request could not be answered."""

    detail: str


def _actor(request: Request) -> str:
    """Who acts. That they may, and that a browser has meant it, the gate has seen to."""
    return identity_of(request).name


Actor = Annotated[str, Depends(_actor)]


class TicketQuery(BaseModel):
    """Which tickets are meant: those that meet all that is given. `search` is what the page's search box takes."""

    model_config = ConfigDict(extra="forbid")

    state: Wanted | None = None
    work: str | None = None
    root: str | None = None
    error: str | None = None
    lane: str | None = None
    search: str | None = None

    @property
    def filter(self) -> TicketFilter:
        """The same as a filter. Raises `BadRequest` for a search that can't be meant."""
        return TicketFilter.read(self.search or "", self.state).narrowed(
            work=self.work, root=self.root, error=self.error, lane=self.lane
        )


class TicketSelection(BaseModel):
    """The tickets that an act is about: by their keys, or all that match."""

    model_config = ConfigDict(extra="forbid")

    keys: list[str] | None = Field(default=None, max_length=10_000)
    all_matching: TicketQuery | None = None

    @property
    def selected(self) -> TicketFilter | list[str]:
        """The same, as acts take it."""
        if (self.keys is None) == (self.all_matching is None):
            raise HTTPException(400, "Give keys, or all_matching, and not both.")
        return (self.keys or []) if self.all_matching is None else self.all_matching.filter
