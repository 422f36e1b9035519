"""Rendering of templates, with the menu and the links within the page."""

import json
import shlex
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from afterwork.store.bounded_count import Count
from afterwork.store.tickets.filter import written
from afterwork.web import csrf
from afterwork.web.assets import version_of_assets
from afterwork.web.menu import MENU
from afterwork.web.page import Site

WHOLE, FRAGMENT = "base.html", "fragment.html"
"""The layouts of a template: a whole page, or its live part only."""

MENU_ALONE = "menu.html"
"""The template of the menu, which is live, too."""

UNITS = (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172800))
"""Units of durations, their seconds, and up to how many seconds each is used."""


def environment() -> Environment:
    """Return the environment of the templates, with their filters. Everything that they show is escaped."""
    made = Environment(
        loader=PackageLoader("afterwork.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(ago=ago, count=count, moment=moment, part=part, quoted=shlex.quote, seconds=seconds, span=span)
    made.filters.update(sought=sought)
    made.filters.update(json=json_text, rate=rate)
    made.filters.update(sought=sought, middle=middle, many=many)
    made.globals.update(menu=MENU, version=version_of_assets())
    return made


def context(site: Site, request: Request, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the context of a page, with what every template needs."""
    identity = getattr(request.state, "identity", None)
    base = request.scope.get("root_path", "")

    def url(path: str, /, **query: Any) -> str:
        given = {name: value for name, value in query.items() if value not in (None, "")}
        return f"{base}{path}" + (f"?{urlencode(given, doseq=True)}" if given else "")

    return {
        "url": url,
        "path": request.url.path.removeprefix(base) or "/",
        "here": quote(request.url.path, safe="/!") + (f"?{request.url.query}" if request.url.query else ""),
        "identity": identity,
        "menu_counts": (dict) if identity is None else site.menu_counts,
        "may_act": identity is not None and identity.may_act and not site.access.read_only,
        "has_login": site.access.has_tokens and site.access.authenticate is None,
        "command": partial(command, site),
        "csrf": csrf.token_of(request),
        "said": request.session.pop("said", None),
        "now": site.app.clock.now(),
        "database": site.shown_database,
        **more,
    }


def page_text(site: Site, request: Request, template: str, more: Mapping[str, Any], layout: str = WHOLE) -> str:
    """Render a page in a layout: the whole page, or its live part only."""
    return site.templates.get_template(template).render(context(site, request, {"layout": layout, **more}))


def render(site: Site, request: Request, template: str, more: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """Return the response with a whole page."""
    return HTMLResponse(page_text(site, request, template, more), status, {"cache-control": "no-store"})


def command(site: Site, words: str) -> str:
    """Return the command line for an act or a page: `retry 7`."""
    verb, _, rest = words.partition(" ")
    return site.as_typed(f"afterwork {verb} MODULE:APP{' ' if rest else ''}{rest} --database URL")


def count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def moment(at: datetime | None) -> str:
    """Format a timestamp in UTC, to the second."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def ago(at: datetime | None, now: datetime) -> str:
    """Format the time since or until a timestamp."""
    if at is None:
        return ""
    passed = now - at
    return f"in {span(-passed)}" if passed < timedelta(0) else f"{span(passed)} ago"


def span(passed: timedelta | None) -> str:
    """Format a duration in its largest unit."""
    return "" if passed is None else seconds(passed.total_seconds())


def seconds(number: float | None) -> str:
    """Format seconds in the unit that suits them."""
    if number is None:
        return ""
    if number < 1:
        return f"{number * 1000:.0f} ms" if number >= 0.01 or number == 0 else f"{number * 1000:.2g} ms"
    if number < 10:
        return f"{number:.1f} s"
    for unit, size, until in UNITS:
        if number < until:
            return f"{number / size:.0f} {unit}"
    return f"{number / 86400:,.0f} d"


def rate(per_hour: float) -> tuple[str, str]:
    """Return a rate and its unit, that which suits it: `25.7` and `per minute`."""
    for unit, number in (("second", per_hour / 3600), ("minute", per_hour / 60)):
        if number >= 1:
            return f"{number:,.1f}", f"per {unit}"
    return f"{per_hour:,.1f}", "per hour"


def json_text(value: Any) -> str:
    """Return JSON as one line of text."""
    return json.dumps(value, ensure_ascii=False)


MIDDLE = 36
"""The most characters of a name or root that lists show."""


def middle(text: str | None, most: int = MIDDLE) -> str:
    """Return a text that is too long with its middle left out: names differ at their ends."""
    if text is None or len(text) <= most:
        return text or ""
    return f"{text[: (most - 1) // 2]}…{text[-(most // 2) :]}"


def many(number: int | Count, single: str, more: str) -> str:
    """Format a number of things: `1 ticket`, `19 tickets`."""
    shown, is_one = (str(number), number.number == 1) if isinstance(number, Count) else (f"{number:,}", number == 1)
    return f"{shown} {single if is_one else more}"


def sought(value: str | None, qualifier: str) -> str:
    """Return the search that finds the tickets with a value: `root:"Garden!north side"`."""
    return written(qualifier, value or "")


NOTHING = "nothing"
"""The value of `open` if all groups are closed."""


def href(request: Request, *parts: str, **query: str | Collection[str]) -> str:
    """Return a path of this application, wherever it is mounted: `href(request, "caches", "Order.total",
    state="stale")`."""
    path = "/".join(map(part, parts))
    given = urlencode({name: value for name, value in query.items() if value}, doseq=True)
    return f"{request.scope.get('root_path', '')}/{path}" + (f"?{given}" if given else "")


def part(text: str) -> str:
    """Return a text as one segment of a path. The `!` of an external id stays readable."""
    return quote(text, safe="!")


def opened(request: Request) -> set[str] | None:
    """Return the groups of a diagram that are open, None if the URL does not say."""
    given = request.query_params.getlist("open")
    return set(given) - {NOTHING} if given else None
