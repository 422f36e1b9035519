"""The site, with its pages and acts: plain functions that know nothing of HTTP routing."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jinja2 import Environment
from sqlalchemy import URL, Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import FormData
from starlette.requests import Request

from afterwork.app import Afterwork
from afterwork.control import Control, NamedAct
from afterwork.errors import AfterworkError
from afterwork.insight import Finding, Insight, Overview
from afterwork.web.access import Access
from afterwork.web.menu import MenuCount, menu_counts
from afterwork.web.recent import Recent

CHECK_SECONDS = 5.0
"""Seconds for which the findings of a check are used: it reads much of the catalog."""

COUNT_SECONDS = 2.0
"""Seconds for which the counts of the menu are used."""


@dataclass(frozen=True)
class Site:
    """One application on one database, as the web shows it."""

    app: Afterwork
    engine: Engine
    access: Access
    templates: Environment
    recent_check: Recent[Sequence[Finding]] = field(default_factory=lambda: Recent(CHECK_SECONDS))
    recent_counts: Recent[Mapping[str, MenuCount]] = field(default_factory=lambda: Recent(COUNT_SECONDS))

    @property
    def insight(self) -> Insight:
        return self.app.insight(self.engine)

    @property
    def control(self) -> Control:
        return self.app.control(self.engine)

    @property
    def shown_database(self) -> str:
        """Return the URL of the database without user and password, which are nobody's business."""
        at = self.engine.url
        return URL.create(at.drivername, host=at.host, port=at.port, database=at.database).render_as_string()

    def as_typed(self, text: str) -> str:
        """Return a text whose commands name this application, where its address is known, and this database."""
        text = text.replace(" MODULE:APP", f" {self.app.address or 'MODULE:APP'}")
        return text.replace(" --database URL", f" --database {shlex.quote(self.shown_database)}")

    def overview(self) -> Overview:
        """Return the overview, with recent findings."""
        return self.insight.overview(self.recent_check.get(self._look)).typed(self.as_typed)

    def menu_counts(self) -> Mapping[str, MenuCount]:
        """Return recent counts for the menu, none if they can't be read: then the page itself says why."""
        try:
            return self.recent_counts.get(lambda: menu_counts(self.insight.tally()))
        except (AfterworkError, SQLAlchemyError):
            return {}

    def has_work(self, name: str) -> bool:
        """Return whether the model has a work of this name, so that a link to its page leads somewhere."""
        return name in self.app.model.work_names

    def check(self) -> Sequence[Finding]:
        """Check the installation now, with advice whose commands are as one types them here."""
        return [replace(finding, advice=self.as_typed(finding.advice)) for finding in self._look()]

    def _look(self) -> Sequence[Finding]:
        return [*self.insight.check(), *self._signs()]

    def _signs(self) -> Sequence[Finding]:
        """Return what is wrong with the servers of this process, such as wake-ups that do not reach them."""
        if not self.app.loops(self.engine):
            return ()
        advice = "It looks for work every few minutes all the same. See its log; start it again if that lasts."
        signs = self.app.health(self.engine).signs
        return [
            Finding(f"server of this page: {sign.name}: {sign.says}", False, advice, topic="health")
            for sign in signs
            if not sign.good
        ]

    def perform(self, act: NamedAct, name: str | int, who: str) -> Any:
        """Perform an act on a thing. Raises `NotThere` for an unknown lane, which a program may pause all the same."""
        known = self.insight.lane(str(name)).name if act.thing == "lane" else name
        return act.perform(self.control, known, who)


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


def page_act(act: NamedAct) -> PageAct:
    """Return the act on a thing that its path names."""

    def do(site: Site, request: ActRequest) -> str:
        name = str(next(iter(request.path.values())))
        thing: str | int = name
        if act.thing == "server":
            thing = int(name) if name.isdecimal() else 0
        return act.say(name, site.perform(act, thing, request.who))

    return PageAct(act.path, do)
