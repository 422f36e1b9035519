"""Links within the page, as diagrams need them."""

from collections.abc import Collection
from urllib.parse import quote, urlencode

from starlette.requests import Request

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
