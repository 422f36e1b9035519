"""Where things are shown: paths within the page, as pictures need them."""

from collections.abc import Collection
from urllib.parse import quote, urlencode

from starlette.requests import Request

NOTHING = "nothing"
"""In place of the groups that are open, where all are closed."""


def href(request: Request, *parts: str, **query: str | Collection[str]) -> str:
    """A path of this application, wherever it is mounted: `href(request, "caches", "Order.total", state="stale")`."""
    path = "/".join(map(part, parts))
    given = urlencode({name: value for name, value in query.items() if value}, doseq=True)
    return f"{request.scope.get('root_path', '')}/{path}" + (f"?{given}" if given else "")


def part(text: str) -> str:
    """A text as one part of a path. The mark between the parts of an external id stays readable."""
    return quote(text, safe="!")


def opened(request: Request) -> set[str] | None:
    """The groups of a picture that are to be open; None where nobody has said."""
    given = request.query_params.getlist("open")
    return set(given) - {NOTHING} if given else None
