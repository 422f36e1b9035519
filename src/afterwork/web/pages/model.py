"""The model: what there is, and what can be asked for."""

from markupsafe import Markup
from starlette.requests import Request

from afterwork.insight.model import ModelView
from afterwork.pictures.class_diagram import class_diagram
from afterwork.web.links import href
from afterwork.web.page import Page, PageContent
from afterwork.web.site import Site


def show(site: Site, request: Request) -> PageContent:
    """Classes as a diagram, and all that is declared as a list, which can be searched."""
    found, words = site.insight.model, request.query_params.get("search", "").strip()
    base = href(request, "model")
    drawn = class_diagram(found, lambda name: f"{base}#{name}")
    given = {
        "model": found,
        "picture": Markup(drawn),
        "search": words,
        "classes": [one for one in found.classes if _has(one, words)],
        "view_models": [one for one in found.view_models if _has(one, words)],
        "ends": _ends(found),
    }
    return PageContent("model.html", given)


def _has(declared: object, words: str) -> bool:
    """Whether something is named as is searched, or has anything that is."""
    return words.casefold() in repr(declared).casefold()


def _ends(model: ModelView) -> dict[str, list[str]]:
    """What each class is linked with, in words."""
    found: dict[str, list[str]] = {}
    for one in model.associations:
        for near, far in (one.ends, one.ends[::-1]):
            if far.name is not None:
                found.setdefault(near.cls, []).append(f"{far.name}: {far.multiplicity} {far.cls}")
    return found


PAGES = (Page("/model", show),)
