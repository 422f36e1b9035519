"""What a page is, and what an act is: plain functions, which know nothing of how they are asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from afterwork.web.site import Site


@dataclass(frozen=True)
class PageContent:
    """What a page shows: a template, and what that is given."""

    template: str
    context: Mapping[str, Any]


@dataclass(frozen=True)
class Page:
    """A page at a path such as `/tickets/{key}`. `show` finds what there is to see; it may raise any `AfterworkError`:
    `BadRequest` means that there is no such thing."""

    path: str
    show: Callable[[Site, Request], PageContent]


@dataclass(frozen=True)
class ActRequest:
    """What somebody asks to be done: who, the parts of the path, and the fields of the form."""

    who: str
    path: Mapping[str, Any]
    form: FormData

    def text(self, name: str) -> str:
        """A field of the form; empty if it is not there."""
        found = self.form.get(name, "")
        return found if isinstance(found, str) else ""

    def texts(self, name: str) -> list[str]:
        """All fields of the form that have this name."""
        return [one for one in self.form.getlist(name) if isinstance(one, str)]


@dataclass(frozen=True)
class PageAct:
    """Something that can be done, by a form that is sent to a path such as `/tickets/retry`. `do` returns what was
    done, in words; it may raise any `AfterworkError`. Then the visitor is back where the form was."""

    path: str
    do: Callable[[Site, ActRequest], str]
