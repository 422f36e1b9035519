"""Pages and acts: plain functions that know nothing of HTTP routing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from afterwork.web.site import Site


@dataclass(frozen=True)
class PageContent:
    """The content of a page: a template and its context."""

    template: str
    context: Mapping[str, Any]


@dataclass(frozen=True)
class Page:
    """A page at a path such as `/tickets/{key}`.

    `show` returns its content. It may raise any `AfterworkError`; `BadRequest` means that there is no such page.
    """

    path: str
    show: Callable[[Site, Request], PageContent]


@dataclass(frozen=True)
class ActRequest:
    """A request to act: the actor, the path parameters, and the form."""

    who: str
    path: Mapping[str, Any]
    form: FormData

    def text(self, name: str) -> str:
        """Return a field of the form, empty if it is missing."""
        value = self.form.get(name, "")
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """Return all fields of the form with one name."""
        return [value for value in self.form.getlist(name) if isinstance(value, str)]


@dataclass(frozen=True)
class PageAct:
    """An act that a form requests at a path such as `/tickets/retry`.

    `do` performs it and returns its result in words. It may raise any `AfterworkError`. The visitor is then
    redirected to the page of the form.
    """

    path: str
    do: Callable[[Site, ActRequest], str]
